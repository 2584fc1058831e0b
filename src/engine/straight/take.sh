d=$(mktemp -d /tmp/skep.XXXXXX) || exit
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
mkfifo -m 600 "$d/in" && chown @LOGIN@ "$d" "$d/in" || exit
# Held for writing too, so that who comes to write need not wait for us.
exec 3<>"$d/in"
echo "skep: takes $d/in" >&2
read -r way || exit
if [ "$way" = straight ]; then
  exec 4<"$d/in" 3>&-
  rm -rf "$d"
  # An end may be a break: without the word for it, nobody gets to see it.
  { cat <&4; read -r end || kill -KILL 0; } | { exec 4<&-
@TO@
  }
else
  exec 3>&-
  rm -rf "$d"
@TO@
fi
