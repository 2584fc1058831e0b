d=$(mktemp -d /tmp/skep.XXXXXX) || exit
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
mkfifo -m 600 "$d/in" && chown @LOGIN@ "$d/in" && chmod 711 "$d" || exit
# Held for writing too, so that who comes to write need not wait for us.
exec 3<>"$d/in"
echo "skep: takes $d/in" >&2
read -r way || exit
if [ "$way" = straight ]; then
  exec 4<"$d/in" 5>"$d/in" 6<&0 3>&-
  rm -rf "$d"
  # An end may be a break: without the word for it, nobody gets to see it, whoever is ended first.
  break_off() {
    trap '' TERM
    kill -TERM 0
    sleep 0.5
    kill -KILL 0
  }
  # As long as somebody holds it for writing, the pipe has no end.
  {
    trap break_off HUP TERM
    read -r end || break_off
  } <&6 4<&- 6<&- &
  holder=$!
  exec 5>&- 6<&-
  # What reads it reads the pipe itself: no copy is made on the way.
  (
@TO@
  ) <&4 4<&-
  code=$?
  kill -KILL "$holder" 2>/dev/null
  exit "$code"
else
  exec 3>&-
  rm -rf "$d"
@TO@
fi
