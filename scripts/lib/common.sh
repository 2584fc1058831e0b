# shellcheck shell=bash
# What the scripts share: messages, prerequisites, waiting. Sourcing it does nothing but find the checkout.

# shellcheck disable=SC2034 # used by those who source this
# The checkout, whatever folder the script was called from.
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

# say TEXT… tells what is being done, on standard error: standard output is for answers.
say() { printf '\033[1m== %s\033[0m\n' "$*" | plain_unless_terminal >&2; }

# die WHAT [HINT] ends the script with what happened and, where one exists, the remedy.
die() {
  printf 'error: %s\n' "$1" >&2
  [[ $# -lt 2 ]] || printf '\nhint: %s\n' "$2" >&2
  exit 1
}

plain_unless_terminal() { if [[ -t 2 ]]; then cat; else sed $'s/\033\\[[0-9]*m//g'; fi; }

# usage SCRIPT prints the comment that opens a script: the help is written once.
usage() { sed -n '2,/^$/{/^#/!q; s/^# \{0,1\}//; p}' "$1"; }

have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND… runs it as root, through sudo where we are somebody else.
as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"
  elif have sudo; then sudo "$@"
  else die "this needs root: $*" "run it as root, or install sudo"
  fi
}

# quietly COMMAND… keeps the output to itself unless the command fails.
quietly() {
  local log code=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || code=$?
  if [[ $code != 0 ]]; then
    printf '%s failed (exit %s):\n' "$1" "$code" >&2
    tail -n 40 "$log" | sed 's/^/  | /' >&2
  fi
  rm -f "$log"
  return "$code"
}

# need COMMAND PACKAGE installs the package unless the command is there.
need() {
  have "$1" && return
  have apt-get || die "$1 is missing, and this machine has no apt-get to install it with" "install $2 by hand"
  say "Installing $2 (for $1)"
  apt_install "$2" || die "the package $2 could not be installed" "see apt's own words above; then: apt-get install $2"
  have "$1" || die "the package $2 is installed, yet there is no command $1"
}

apt_install() {
  # Lists that are absent or too old to be right are fetched only when the packages cannot be had without.
  quietly apt_get install -y --no-install-recommends "$@" 2>/dev/null && return
  quietly apt_get update && quietly apt_get install -y --no-install-recommends "$@"
}

# apt_get ARGUMENTS… waits for whoever installs at the same time. apt itself waits for dpkg's locks, and not for that of its lists.
apt_get() {
  as_root flock /var/lib/apt/lists env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# shellcheck disable=SC2032
# docker ARGUMENTS… is the machine's docker, through sudo where the socket is not ours.
docker() { "${DOCKER[@]}" "$@"; }
DOCKER=(command docker)

# need_docker makes sure that a Docker engine answers on this machine.
need_docker() {
  need docker docker.io
  docker_answers || start_docker || die "no Docker engine answers on this machine" "see: docker info"
}

docker_answers() {
  docker info >/dev/null 2>&1 && return
  [[ $(id -u) != 0 ]] && have sudo || return 1
  # shellcheck disable=SC2033 # the program is meant
  sudo -n docker info >/dev/null 2>&1 && DOCKER=(sudo -n docker)
}

start_docker() {
  need dockerd docker.io
  say "Starting the Docker engine of this machine"
  if [[ -d /run/systemd/system ]]; then as_root systemctl enable --now docker
  else as_root service docker start >/dev/null 2>&1 || true
  fi
  within 30 docker_answers
}

# within SECONDS COMMAND… tries the command until it succeeds or the time is over.
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < until)) || return 1
    sleep 0.2
  done
}

# duration SECONDS prints "48 s" or "3 min 05 s".
duration() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}
