# One end of a path: a container on an overlay network that is there for this alone. Its image is empty, for there may be no
# registry: it runs the host's own programs. All of it goes again, and so does what was left when this was cut off.
n=@NAME@
away() { docker rm -f "$n"; docker rmi "$n"; } >/dev/null 2>&1
no() { printf '%s\n' "$@" >&2; exit 1; }
# start COMMAND…: in the container, which lends what there is of these folders.
start() {
  tar -cf - -T /dev/null | docker import - "$n" >/dev/null || exit 1
  for f in /bin /lib /lib64 /usr; do [ ! -d "$f" ] || folders="$folders -v $f:$f:ro"; done
  docker run -d --name "$n" --network "$n" $folders "$n" "$@" >/dev/null || exit 1
}
trap away EXIT
trap 'exit 143' HUP INT TERM PIPE
# Another run's, or one that was cut off, ends by itself within two minutes.
docker wait "$n" >/dev/null 2>&1
away
@END@
