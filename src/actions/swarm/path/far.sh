# The end that is dialled. It says that the network is made and where it listens, takes 1 MiB and gives 1 MiB, and stays until
# the other end has hung up.
gone() { for i in $(seq 200); do docker network rm "$n" && return; sleep 0.3; done; } >/dev/null 2>&1
# Where it does not come up, whoever listens is told by an empty line, and lets go of the network.
trap '[ -n "$up" ] || echo; away; gone' EXIT
docker network inspect "$n" >/dev/null 2>&1 || @NETWORK@ "$n" >/dev/null || exit 1
echo made
serve='head -c 1048576 >/dev/null; head -c 1048576 /dev/zero; cat >/dev/null; kill $PPID'
start bash -c 'timeout 90 systemd-socket-activate -l 4789 --inetd -a bash -c "$0"; :' "$serve"
docker inspect --format "{{(index .NetworkSettings.Networks \"$n\").IPAddress}}" "$n" || exit
up=1
docker wait "$n" >/dev/null
