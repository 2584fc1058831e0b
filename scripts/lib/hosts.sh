# shellcheck shell=bash
# The hosts of a lab: making them, power, network. Everything carries the label skep.lab=NAME, and is found by it.

# All that systemd and a Docker engine in a container want; --privileged asks for more than many machines may give.
CAPABILITIES=(
  AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER
  KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID
  SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME
  SYS_TTY_CONFIG WAKE_ALARM
)

container() { printf 'skep-%s-%s' "$LAB" "$1"; }

# hosts prints the names of the lab's hosts, in order.
hosts() {
  docker ps --all --filter "label=skep.lab=$LAB" --format '{{ .Label "skep.lab.host" }}' | sort -V
}

# state HOST prints running, exited …, and nothing where there is no such host.
state() { docker ps --all --filter "name=^$(container "$1")\$" --format '{{ .State }}'; }

address() { docker inspect --format "{{ (index .NetworkSettings.Networks \"$NETWORK\").IPAMConfig.IPv4Address }}" "$(container "$1")"; }

# need_network makes the lab's bridge. Docker chooses a subnet that is free; naming it once more is what allows fixed addresses.
need_network() {
  local subnet try
  docker network inspect "$NETWORK" >/dev/null 2>&1 && return
  for try in 1 2 3 4 5; do
    docker network create --label "skep.lab=$LAB" "$NETWORK" >/dev/null || die "Docker could make no network for the lab" "remove networks that are not used: docker network ls"
    subnet=$(subnet)
    docker network rm "$NETWORK" >/dev/null
    # Another lab may have taken the same subnet in between.
    docker network create --label "skep.lab=$LAB" --subnet "$subnet" "$NETWORK" >/dev/null 2>&1 && return
  done
  die "no free subnet for the lab after $try tries" "docker network ls"
}

subnet() { docker network inspect --format '{{ (index .IPAM.Config 0).Subnet }}' "$NETWORK"; }

# address_of_new INDEX is the address of nodeINDEX: node1 has .11.
address_of_new() {
  local base
  base=$(subnet)
  printf '%s.%s' "${base%.*}" $((10 + $1))
}

# start_hosts HOST… makes those that are missing and powers on those that are off, all at once, and waits until each lets us in.
start_hosts() {
  local host job jobs=() failed=0
  for host in "$@"; do
    start_host "$host" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [[ $failed == 0 ]] || die "not every host came up" "scripts/lab list"
}

start_host() {
  case $(state "$1") in
    running) ;;
    '') make_host "$1" "$(address_of_new "${1#node}")" ;;
    *) docker start "$(container "$1")" >/dev/null ;;
  esac
  await_host "$1"
}

make_host() {
  local host=$1 address=$2 image=$HOST_IMAGE options=() capability confinement
  [[ -z $ENGINE ]] || image=$ENGINE_IMAGE
  for capability in "${CAPABILITIES[@]}"; do options+=(--cap-add "$capability"); done
  for confinement in seccomp apparmor systempaths; do options+=(--security-opt "$confinement=unconfined"); done
  write_meminfo
  docker run --detach --name "$(container "$host")" --hostname "$host" \
    --label "skep.lab=$LAB" --label "skep.lab.host=$host" \
    --network "$NETWORK" --ip "$address" --stop-signal SIGRTMIN+3 \
    --cgroupns private "${options[@]}" --tmpfs /run:exec,mode=755 --tmpfs /run/lock --volume /var/tmp \
    ${CPUS:+--cpus "$CPUS"} ${DISK:+--tmpfs "/var/lib/docker:exec,dev,suid,size=$DISK"} \
    --memory "$MEMORY" --memory-swap "$MEMORY" --volume "$DIR/meminfo:/proc/meminfo:ro" \
    --env "LAB_AUTHORIZED_KEY=$(<"$KEY.pub")" --env "LAB_RESOLV_CONF=$(resolv_conf)" \
    "$image" >/dev/null
}

# write_meminfo writes the /proc/meminfo of a host: with the machine's own, three hosts would each believe to have all of it.
write_meminfo() {
  local kib
  kib=$(numfmt --from=iec --to-unit=1024 "${MEMORY^^}")
  printf '%-16s%8d kB\n' MemTotal: "$kib" MemFree: $((kib * 9 / 10)) MemAvailable: $((kib * 9 / 10)) Buffers: 0 \
    Cached: 0 SwapCached: 0 Active: 0 Inactive: 0 SwapTotal: 0 SwapFree: 0 Shmem: 0 Slab: 0 SReclaimable: 0 >"$DIR/meminfo"
}

# resolv_conf prints a resolver that containers *on* the hosts can use too: a loopback address, like Docker's own
# resolver, would send them to public servers. Empty where the machine has none.
resolv_conf() {
  local file
  for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
    grep -E '^(nameserver|search|options)' "$file" 2>/dev/null | grep -v 'nameserver 127\.' | grep -q ^nameserver || continue
    grep -E '^(nameserver|search|options)' "$file" | grep -v 'nameserver 127\.'
    return
  done
}

SSH_OPTIONS=(-o StrictHostKeyChecking=yes -o LogLevel=ERROR -o ConnectTimeout=5 -o BatchMode=yes -o IdentitiesOnly=yes)

# await_host HOST waits until its sshd lets the user in.
await_host() {
  if ! within 180 sshd_runs "$1" || ! within 60 lets_in "$1"; then
    die "$1 does not let us in" "docker logs $(container "$1"); docker exec $(container "$1") journalctl --boot"
  fi
}

# One that was still on its way down when it was to be powered on is off a moment later.
sshd_runs() {
  [[ $(state "$1") != exited ]] || docker start "$(container "$1")" >/dev/null
  docker exec "$(container "$1")" systemctl is-active --quiet ssh.service 2>/dev/null
}

lets_in() {
  remember_host_key "$1"
  ssh "${SSH_OPTIONS[@]}" -i "$KEY" -o "UserKnownHostsFile=$DIR/known_hosts.$1" "ubuntu@$(address "$1")" true 2>/dev/null
}

host_key() { docker exec "$(container "$1")" cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub; }

# remember_host_key HOST keeps its key, taken from the host itself, so that nothing need be trusted on first use.
remember_host_key() { printf '%s %s\n' "$(address "$1")" "$(host_key "$1")" >"$DIR/known_hosts.$1"; }

host_shell() {
  local host=$1
  shift
  [[ ${1:-} != -- ]] || shift
  exec ssh "${SSH_OPTIONS[@]}" -o BatchMode=no -i "$KEY" -o "UserKnownHostsFile=$DIR/known_hosts.$host" "ubuntu@$(address "$host")" "$@"
}

host_exec() {
  local host=$1
  shift
  [[ ${1:-} != -- ]] || shift
  docker exec --interactive "$(container "$host")" "$@"
}

is_off() { [[ $(state "$1") == exited ]]; }

host_stop() {
  # A machine that is slow to end has ended all the same.
  if [[ ${2:-} == --hard ]]; then docker kill "$(container "$1")" >/dev/null || within 60 is_off "$1"
  else docker stop --time 30 "$(container "$1")" >/dev/null
  fi
}

host_start() { start_host "$1"; }

# host_reset HOST|all makes fresh machines of them, with new identities.
host_reset() {
  local host chosen=("$1")
  [[ $1 != all ]] || mapfile -t chosen < <(hosts)
  one_at_a_time prepare_recipe
  for host in "${chosen[@]}"; do docker rm --force --volumes "$(container "$host")" >/dev/null & done
  wait
  start_hosts "${chosen[@]}"
  write_inventory
}

# host_cut HOST [--port P] [--peer HOST] drops packets in both directions, those of the host's containers too. Connections
# that are open hang, as when a cable is pulled; nothing is refused.
host_cut() {
  local host=$1 ports=('') peer='' protocol port=''
  shift
  while [[ $# -gt 0 ]]; do
    case $1 in
      --port) ports=(tcp udp); port=${2:?--port wants a number}; shift 2 ;;
      --peer) peer=$(address "${2:?--peer wants a host}"); shift 2 ;;
      *) die "scripts/lab cut knows no option \"$1\"" "scripts/lab --help" ;;
    esac
  done
  for protocol in "${ports[@]}"; do
    drop "$host" PREROUTING -i eth0 ${peer:+-s "$peer"} ${protocol:+-p "$protocol" -m multiport --ports "$port"}
    drop "$host" POSTROUTING -o eth0 ${peer:+-d "$peer"} ${protocol:+-p "$protocol" -m multiport --ports "$port"}
  done
}

drop() {
  local host=$1
  shift
  docker exec "$(container "$host")" iptables --wait -t mangle -I "$@" -m comment --comment skep-lab-cut -j DROP
}

host_mend() {
  docker exec "$(container "$1")" sh -c 'iptables-save -t mangle | grep skep-lab-cut | sed "s/^-A/-D/" | while read -r rule; do
    iptables --wait -t mangle $rule; done'
}

# down [--all-traces] removes the lab, and with --all-traces the images that labs are made of.
down() {
  local containers image
  mapfile -t containers < <(docker ps --all --quiet --filter "label=skep.lab=$LAB")
  [[ ${#containers[@]} == 0 ]] || docker rm --force --volumes "${containers[@]}" >/dev/null
  docker network rm "$NETWORK" >/dev/null 2>&1 || true
  rm -rf "$DIR" "$INVENTORY"
  say "Lab $LAB is gone"
  [[ ${1:-} == --all-traces ]] || return 0
  # The keys of this checkout's other labs are there.
  compgen -G "$ROOT/.lab/*/id_ed25519" >/dev/null || rm -rf "$ROOT/.lab"
  for image in $(docker image ls --format '{{ .Repository }}:{{ .Tag }}' 'skep-lab/*'); do
    docker image rm "$image" >/dev/null 2>&1 || say "$image stays: another lab uses it"
  done
}
