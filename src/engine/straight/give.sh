@SCRATCH@
# By itself: it may have a folder and traps of its own.
give() (
@SOURCE@
)
if [ "$(df -Pk /var/tmp | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })" -lt @KIB@ ]; then
  for n in $(seq 0 @LAST@); do echo "skep: leg $n has failed: no room in /var/tmp" >&2; done
  give
  exit
fi
mkfifo "$d/told"
exec 7<>"$d/told"
: >"$d/all"
give >"$d/all" 7>&- 8>&- &
giver=$!
# What is there already, and what still comes, from where the last one has ended: whoever reads slowly holds up nobody else.
# Until the first of it is there, nothing is done: an engine that writes an image down first needs all of a small machine.
all() {
  {
    tail -c +1 -f --pid="$giver" "$d/all" 2>/dev/null | head -c 1 >/dev/null
    until [ -e "$d/code" ]; do
      cat || return
      sleep 0.05
    done
    cat
  } <"$d/all"
}
fails() {
  why=$(tail -n 1 "$d/$1.errors")
  echo "skep: leg $1 has failed: ${why:-it broke off}" >&2
}
# leg NUMBER PORT LOGIN ADDRESS HOST_KEY FIFO
# What comes there in drops is passed on in whole blocks: who takes it has less to do.
leg() {
  all | ssh -F none -T -p "$2" -l "$3" -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=5 -o ServerAliveCountMax=4 \
    -o IdentityFile=none -o PreferredAuthentications=publickey -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null \
    -o GlobalKnownHostsFile=/dev/null -o "KnownHostsCommand=/bin/echo %H $5" -o UpdateHostKeys=no -o LogLevel=ERROR \
    -o Ciphers=^aes128-gcm@openssh.com -- "$4" \
    "exec sh -c 'timeout 10 sh -c \": >\$0\" \"\$0\" && exec 3>\"\$0\" && echo open && LC_ALL=C dd bs=128k iflag=fullblock 2>&1 >&3 | sed -n \"s/ byte.*//p\"' $6" 2>"$d/$1.errors" | {
    read -r word || word=
    # First within: who is to be told may be gone.
    echo "${word:-shut}" >&7
    if [ "$word" = open ]; then echo "skep: leg $1 is open" >&2; else fails "$1"; fi
    [ "$word" = open ] || exit
    read -r bytes || bytes=
    until [ -z "$bytes" ] || [ -e "$d/code" ]; do sleep 0.1; done
    if [ "$bytes" = "$(wc -c <"$d/all")" ] && [ "$(cat "$d/code")" = 0 ]; then
      echo "skep: leg $1 is whole" >&2
    else
      fails "$1"
    fi
  }
}
through=@THROUGH@
@LEGS@
for _ in $(seq 0 @LAST@); do
  read -r told <&7
  [ "$told" = open ] || through=1
done
[ -z "$through" ] || { all; } &
passing=$!
wait "$giver"
echo $? >"$d/ended"
mv "$d/ended" "$d/code"
wait "$passing"
[ "$(cat "$d/code")" != 0 ] || (echo "skep: passed $(wc -c <"$d/all")" >&2)
wait
exit "$(cat "$d/code")"
