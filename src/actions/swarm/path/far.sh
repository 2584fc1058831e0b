# The end that is dialled. It says where, takes 1 MiB and gives 1 MiB, and stays until the other end has hung up.
gone() { for i in $(seq 30); do docker network rm "$n" && return; sleep 0.3; done; } >/dev/null 2>&1
trap 'away; gone' EXIT
image || exit 1
docker network inspect "$n" >/dev/null 2>&1 || @NETWORK@ "$n" >/dev/null || exit 1
serve='head -c 1048576 >/dev/null; head -c 1048576 /dev/zero; cat >/dev/null; kill $PPID'
docker run -d --name "$n" --network "$n" --log-driver none "$n" \
  bash -c 'timeout 26 systemd-socket-activate -l 4789 --inetd -a bash -c "$0"; :' "$serve" >/dev/null || exit 1
docker inspect --format "{{(index .NetworkSettings.Networks \"$n\").IPAddress}}" "$n"
docker wait "$n" >/dev/null
