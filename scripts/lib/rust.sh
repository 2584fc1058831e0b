# shellcheck shell=bash
# Building and testing: what scripts/check, scripts/test and scripts/demo share.

# step NAME COMMAND… runs it, telling when it starts and how long it took.
step() {
  local name=$1 began=$SECONDS
  shift
  say "$name"
  "$@" || die "$name: failed after $(duration $((SECONDS - began)))" "$(printf '%q ' "$@")"
  say "$name: done in $(duration $((SECONDS - began)))"
}

# need_nextest installs the test runner: it runs tests in processes of their own, and those of a lab one after the other.
need_nextest() {
  have cargo-nextest && return
  say "Installing cargo-nextest (built from source: some minutes, once)"
  quietly cargo install --locked cargo-nextest || die "cargo-nextest could not be installed" "https://nexte.st has ready-made ones"
}

# need_sshd makes sure of sshd's program. The tests start their own; none shall answer on port 22 because of them.
need_sshd() {
  [[ -x /usr/sbin/sshd ]] && return
  say "Installing openssh-server (for /usr/sbin/sshd; the service is kept from starting: systemctl unmask ssh)"
  [[ ! -d /run/systemd/system ]] || quietly as_root systemctl mask ssh.service ssh.socket
  apt_install openssh-server || die "the package openssh-server could not be installed" "apt-get install openssh-server"
}

# The unit tests alone: no sshd, no lab.
unit_tests() {
  if have cargo-nextest; then cargo nextest run --lib --bins --status-level slow
  else cargo test --quiet --lib --bins
  fi
}
