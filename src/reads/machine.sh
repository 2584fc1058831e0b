export LC_ALL=C

# say KEY COMMAND… prints `KEY=` and what the command printed; a command that is missing or fails leaves the value empty.
say() { key=$1; shift; printf '%s=%s\n' "$key" "$("$@" 2>/dev/null)"; }
# each KEY COMMAND… prints one `KEY=` for each line.
each() { key=$1; shift; "$@" 2>/dev/null | while IFS= read -r line; do printf '%s=%s\n' "$key" "$line"; done; }
system() { . /etc/os-release && printf '%s\nversion=%s\ncodename=%s' "$ID" "$VERSION_ID" "$VERSION_CODENAME"; }
architecture() { dpkg --print-architecture || uname -m; }
# free PATH: MiB that are free in the file system that PATH is, or would be, in.
free() {
  at=$1
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  kib=$(df -Pk -- "$at" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })
  echo "$1 $((kib / 1024))"
}

say clock date +%s.%N
say id system
say architecture architecture
say hostname uname -n
say machine cat /etc/machine-id
say boot cat /proc/sys/kernel/random/boot_id
say uptime cat /proc/uptime
say cores nproc
each memory grep -E '^Mem(Total|Available):' /proc/meminfo
each limit cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes
for path in / /var/lib/docker /var/lib/containerd /tmp; do say free free "$path"; done
each link ip -o link show
each address ip -o address show
each route ip -4 route show
each route6 ip -6 route show
say source ip -4 route get 192.0.2.1
# A stub of systemd's stands for the servers that it asks.
resolvers=/etc/resolv.conf
grep -q '^nameserver 127\.0\.0\.53' "$resolvers" 2>/dev/null && resolvers=/run/systemd/resolve/resolv.conf
each resolver grep '^nameserver' "$resolvers"
say systemd systemctl is-system-running
say user id -un
say groups id -Gn
echo end=
