# shellcheck shell=bash
# An image of 500 MB carried from one host to two: part of scripts/bench.

CARRIED=bench/carried:1

# images_folder writes the playbook, and what the image is built from: a large layer, and one of 1 MB over it.
images_folder() {
  mkdir -p "$FOLDER/app"
  cat >"$FOLDER/site.yml" <<END
name: Carrying
plays:
  - hosts: all
    steps:
      - { id: engine, docker_engine: { source: '{{ docker_source }}' } }
      - { id: system, hosts: node1, image: { name: '{{ base_image }}', load: '{{ base_image_archive }}' } }
      - { id: made, hosts: node1, image: { name: '$CARRIED', build: { context: app, args: { BASE: '{{ base_image }}' } } } }
      - { id: carried, hosts: workers, image: { name: '$CARRIED', carry: node1 } }
END
  # shellcheck disable=SC2016 # the builder's variable
  printf 'ARG BASE\nFROM ${BASE}\nRUN head -c 400m /dev/urandom >/ballast\nCOPY top /top\n' >"$FOLDER/app/Dockerfile"
  top_layer
}

top_layer() { head -c 1M /dev/urandom >"$FOLDER/app/top"; }

carry() { "$SKEP" run "$FOLDER/site.yml" -i "$INVENTORY" "$@" >"$FOLDER/out" 2>&1 || die "$(cat "$FOLDER/out")"; }

ssh_to() {
  ssh -i "$(scripts/lab key)" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "ubuntu@$(address_of "$1")" "$2"
}

address_of() { scripts/lab list | awk -v host="$1" '$1 == host { print $2 }'; }

by_hand() { ssh_to node1 "sudo docker save $CARRIED" | ssh_to node2 "sudo docker load -q" >/dev/null; }

# by_hand_to_both is the same for two: read once, and handed to each here.
by_hand_to_both() {
  local other="$FOLDER/other"
  mkfifo "$other"
  ssh_to node3 "sudo docker load -q" <"$other" >/dev/null &
  ssh_to node1 "sudo docker save $CARRIED" | tee "$other" | ssh_to node2 "sudo docker load -q" >/dev/null
  wait $!
  rm "$other"
}

# forgotten: nobody but node1 has the image or a layer of it, and nothing is left to be written.
forgotten() {
  local host
  for host in node2 node3; do
    scripts/lab exec "$host" -- sh -c "docker image rm -f $CARRIED >/dev/null 2>&1; docker image prune -af >/dev/null"
  done
  sync
  used
}

# used: where this machine is a virtual one, memory that it gave back to its host costs more the first time it is taken again. How
# much of it that is depends on how many images were just forgotten; so everybody begins with as much that was in use a moment ago.
used() {
  sleep 3
  # Where less fits there, less is used: nothing depends on it but how even the figure is.
  head -c 900M /dev/zero >/dev/shm/used 2>/dev/null || true
  rm /dev/shm/used
}

# took COMMAND… is how many seconds it takes, from nothing: the least of three, for other work only ever adds.
took() {
  local TIMEFORMAT=%R
  for _ in 1 2 3; do
    forgotten
    { time "$@" >/dev/null 2>&3; } 3>&2 2>&1
  done | sort -n | head -n 1
}

# bytes HOST WAY is what its network card has sent (tx) or received (rx).
bytes() { scripts/lab exec "$1" -- cat "/sys/class/net/eth0/statistics/${2}_bytes"; }

images() {
  local INVENTORY FOLDER SKEP size hand both skep
  export SKEP_LAB=bench
  INVENTORY=$(scripts/lab inventory)
  FOLDER=$(mktemp -d)
  say "An image of 500 MB is carried to two hosts"
  cargo build --quiet --release
  SKEP=${CARGO_TARGET_DIR:-target}/release/skep
  # They share this machine's processors and its disk, as hosts of their own would not: each is held to its part of the first, and
  # the rest is ours; of the second, where two unpack an image at once, none is asked.
  SKEP_LAB_CPUS=$(figure "$(nproc) / 4") SKEP_LAB_DISK=4g scripts/lab up 3 --engine >/dev/null
  images_folder
  carry --until made
  size=$(scripts/lab exec node1 -- docker image inspect -f '{{.Size}}' "$CARRIED")
  hand=$(took by_hand) both=$(took by_hand_to_both)
  skep=$(took carry --step carried)
  held "$((size / 1000000)) MB to two hosts in $skep s, by \`docker save | ssh | docker load\` to one in $hand s" \
    "$(figure "$skep / $hand")" 1 times
  # Two that work at once slow each other on one machine, as hosts of their own would not: this leaves that out.
  held "the same by hand to both, through \`tee\` here, in $both s" "$(figure "$skep / $both")" 1 times
  carried_again
  carried_anew
  scripts/lab down
  rm -rf "$FOLDER"
  unset SKEP_LAB
}

# Nothing changed: what is sent is the answer to one batch of reads.
carried_again() {
  local since sent
  verbose node1
  sleep 1.1
  since=$(date +%s) sent=$(bytes node1 tx)
  carry --step carried
  sent=$(($(bytes node1 tx) - sent))
  sleep 1
  held "again, unchanged: commands on node1" "$(count node1 "$since" 'Starting session: command')" 1 commands
  held "again, unchanged: sent by node1" "$((sent / 1000))" 64 kB
  quiet node1
}

# Of an image whose top layer of 1 MB is another, that alone travels.
carried_anew() {
  local got2 got3
  top_layer
  carry --step made
  got2=$(bytes node2 rx) got3=$(bytes node3 rx)
  carry --step carried
  held "its top layer of 1 MB changed: sent to node2" "$(figure "($(bytes node2 rx) - $got2) / 1000000")" 1.5 MB
  held "its top layer of 1 MB changed: sent to node3" "$(figure "($(bytes node3 rx) - $got3) / 1000000")" 1.5 MB
}
