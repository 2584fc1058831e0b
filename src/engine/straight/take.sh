d=$(mktemp -d /tmp/skep.XXXXXX) || exit
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
mkfifo -m 600 "$d/in" && chown @LOGIN@ "$d/in" && chmod 711 "$d" || exit
# Held for writing too, so that who comes to write need not wait for us.
exec 3<>"$d/in"
echo "skep: takes $d/in" >&2
read -r way || exit
if [ "$way" = straight ]; then
  exec 4<"$d/in" 3>&-
  rm -rf "$d"
  # An end may be a break: without the word for it, nobody gets to see it, whoever is ended first.
  break_off() {
    trap '' TERM
    kill -TERM 0
    sleep 0.5
    kill -KILL 0
  }
  {
    trap break_off HUP INT TERM
    cat <&4
    code=$?
    exec 4<&-
    # By SIGPIPE: what reads it wanted no more, and says why.
    [ "$code" = 141 ] || { [ "$code" = 0 ] && read -r end; } || break_off
  } | { exec 4<&-
@TO@
  }
else
  exec 3>&-
  rm -rf "$d"
@TO@
fi
