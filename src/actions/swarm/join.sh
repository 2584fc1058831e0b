read -r token && [ -n "$token" ] || { echo 'no join token came from the leader' >&2; exit 1; }
s=/var/run/docker.sock
if command -v curl >/dev/null 2>&1 && curl -s --max-time 10 --unix-socket "$s" -o /dev/null http://d/_ping; then
  said=$(printf '@BODY@' "$token" |
    curl -sS --unix-socket "$s" -H 'Content-Type: application/json' -d @- -w '\n%{http_code}' http://d/swarm/join 2>&1)
  case $said in *200) code=0 ;; *) code=1 ;; esac
else
  said=$(@LINE@ "$token" @LEADER@ 2>&1)
  code=$?
fi
[ "$code" = 0 ] && exit 0
case $said in
  *'in the background'*) exit 0 ;;
  *'connection refused'*) hint='nothing listens at @LEADER@, or a firewall of the host turns it away: allow TCP 2377 and 7946, UDP 7946 and 4789 between the nodes' ;;
  *'no route to host'*) hint='the host firewall of the leader turns it away: allow TCP 2377 and 7946, UDP 7946 and 4789 between the nodes' ;;
  *'x509'*) hint='the clocks of the two hosts differ, or the token is of another swarm: timedatectl set-ntp true' ;;
  *[Tt]imeout* | *'deadline exceeded'*) hint='no answer from @LEADER@: let the security group pass TCP 2377 and 7946, UDP 7946 and 4789 between the nodes' ;;
  *) hint= ;;
esac
printf '%s\n' "$said" >&2
[ -z "$hint" ] || printf 'hint: %s\n' "$hint" >&2
exit 1
