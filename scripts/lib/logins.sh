# shellcheck shell=bash
# 1,000 logins to one sshd over loopback addresses: part of scripts/bench.

LOGINS=1000

# An sshd with its own defaults, in a folder that is removed at the end.
start_sshd() {
  FOLDER=$(mktemp -d)
  chmod 755 "$FOLDER"
  trap 'kill "$SSHD" 2>/dev/null; rm -rf "$FOLDER"' EXIT
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
  ssh-keygen -q -t ed25519 -N '' -f "$FOLDER/host"
  ssh-keygen -q -t ed25519 -N '' -f "$FOLDER/identity"
  mkdir -p "$FOLDER/home" /run/sshd
  printf '%s\n' "Port $PORT" "HostKey $FOLDER/host" "AuthorizedKeysFile $FOLDER/identity.pub" "PidFile $FOLDER/pid" \
    'StrictModes no' 'UsePAM no' 'LogLevel VERBOSE' "SetEnv HOME=$FOLDER/home" >"$FOLDER/config"
  /usr/sbin/sshd -D -f "$FOLDER/config" -E "$FOLDER/log" &
  SSHD=$!
  until grep -q 'Server listening' "$FOLDER/log" 2>/dev/null; do sleep 0.05; done
}

loopback_inventory() {
  local number
  printf 'all:\n  vars: { port: %s, user: "%s", identity_file: %s, host_key: "%s" }\n  hosts:\n' \
    "$PORT" "$(id -un)" "$FOLDER/identity" "$(cut -d' ' -f1,2 "$FOLDER/host.pub")"
  for ((number = 0; number < LOGINS; number++)); do
    printf '    n%s: { address: 127.1.%s.%s }\n' "$number" $((number / 250)) $((number % 250 + 1))
  done
}

# The processor's time of all that sshd has started and that has ended, in hundredths of a second.
spent_by_sshd() { awk '{ print $16 + $17 }' "/proc/$SSHD/stat"; }

logins() {
  local before sshd wall user system memory
  need_sshd
  need time time
  say "$LOGINS logins of one skep exec"
  cargo build --quiet --release
  start_sshd
  loopback_inventory >"$FOLDER/inventory.yml"
  before=$(spent_by_sshd)
  command time -o "$FOLDER/time" -f '%e %U %S %M' \
    "${CARGO_TARGET_DIR:-target}/release/skep" exec all -i "$FOLDER/inventory.yml" --ssh-config none -- true >"$FOLDER/out"
  sleep 1
  read -r wall user system memory <"$FOLDER/time"
  sshd=$(($(spent_by_sshd) - before))
  held "refused by sshd" "$(grep -c 'MaxStartups' "$FOLDER/log" || true)" 0 connections
  held "logins beyond one for each host" "$(($(grep -c 'Accepted publickey' "$FOLDER/log") - LOGINS))" 0 logins
  held "skep's own processor time a login" "$(figure "($user + $system) * 1000 / $LOGINS")" 2 ms
  held "memory a host" "$(figure "$memory / $LOGINS")" 100 kB
  held "its time, $wall s, by what sshd needs on these processors" "$(figure "$wall / ($sshd / 100 / $(nproc))")" 1.15 times
}

figure() { awk "BEGIN { printf \"%.2f\", $1 }"; }
