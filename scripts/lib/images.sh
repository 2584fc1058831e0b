# shellcheck shell=bash
# The images that a lab is made of, all built from the distribution's packages, so that no registry is needed:
#   skep-lab/host:HASH    a lab host: systemd, sshd, sudo, no Docker engine
#   skep-lab/engine:HASH  the same with an engine, for what is not about installing one (scripts/lab up --engine)
#   skep-lab/base:SUITE   a slim base system, for building the product's images on the hosts
# They are built once: HASH is that of the recipe, so a changed recipe, mirror or suite makes a new image.

# What a cloud's machine image has and the rest of this project relies on.
HOST_PACKAGES=systemd-sysv,dbus,udev,kmod,openssh-server,sudo,ca-certificates,curl,iproute2,iptables,iputils-ping,netbase,procps

# machine_release KEY prints what /etc/os-release says of this machine.
machine_release() { (. /etc/os-release && printf '%s' "${!1:-}"); }

# apt_sources SUITE prints the apt sources of the lab: the machine's own, without those of third parties.
apt_sources() {
  local own keyring
  own=$(machine_release VERSION_CODENAME)
  keyring=/usr/share/keyrings/$(machine_release ID)-archive-keyring.gpg
  if [[ -n ${SKEP_LAB_MIRROR:-} ]]; then
    printf '%s %s main\n' "$SKEP_LAB_MIRROR" "$1"
  else
    [[ -n $(distribution_sources "$own") ]] || quietly apt_get update
    distribution_sources "$own" | sed "s| $own| $1|"
  fi | sed "s|^|deb [signed-by=$keyring] |"
}

# distribution_sources SUITE prints "ADDRESS SUITE COMPONENT" of what the distribution itself serves for the suite.
distribution_sources() {
  # shellcheck disable=SC2016 # apt's words, not ours
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' \
    | awk -v suite="$1" '$2 == suite || $2 == suite "-updates" || $2 == suite "-security"' | sort -u
}

# apt_settings prints what the machine's apt needs to reach its mirror: proxies and the tolerance for its clock.
apt_settings() { apt-config dump | grep -E '^Acquire::(https?::Proxy|https?::[^ ]*CaInfo|Check-)' || true; }

# prepare_recipe writes what the images are made from to .lab/recipe, and names them after it.
prepare_recipe() {
  local recipe=$ROOT/.lab/recipe.$$
  rm -rf "$recipe"
  mkdir -p "$recipe/ca"
  cp "$ROOT"/scripts/lib/host/* "${BASH_SOURCE[0]}" "$recipe/"
  apt_sources "$SUITE" >"$recipe/sources.list"
  [[ -s $recipe/sources.list ]] || die "apt on this machine lists no source of $(machine_release ID) for $SUITE" "name one: SKEP_LAB_MIRROR=http://deb.debian.org/debian"
  apt_settings >"$recipe/apt.conf"
  find -L /usr/local/share/ca-certificates -name '*.crt' -exec cp -t "$recipe/ca" {} + 2>/dev/null || true
  # Whoever builds an image at this moment reads the old one or the new one, and both are the same.
  find "$recipe/ca" -type f -print0 | sort -z | xargs -0 -r cat >"$recipe.crt"
  mv "$recipe.crt" "$ROOT/.lab/ca.crt"
  rm -rf "$ROOT/.lab/recipe"
  mv "$recipe" "$ROOT/.lab/recipe"
  RECIPE=$ROOT/.lab/recipe
  HOST_RECIPE=$(hash_of_recipe .)
  BASE_RECIPE=$(hash_of_recipe sources.list apt.conf ca authorities)
  HOST_IMAGE=skep-lab/host:$HOST_RECIPE
  BASE_IMAGE=skep-lab/base:$SUITE
  ENGINE_IMAGE=skep-lab/engine:$HOST_RECIPE
}

# hash_of_recipe PATH… is that of these parts of the recipe, for this architecture.
hash_of_recipe() {
  (cd "$RECIPE" && dpkg --print-architecture && find "$@" -type f | sort | xargs sha256sum) | sha256sum | cut -c1-12
}

# bootstrap PACKAGES OPTIONS… writes a root file system of the packages as a tar archive to standard output.
bootstrap() {
  local packages=$1
  shift
  # A session of its own: when mmdebstrap fails, it ends its whole process group, which would be this script too.
  as_root setsid --wait mmdebstrap --quiet --variant=minbase --format=tar --include="$packages" \
    --customize-hook="sh '$RECIPE/authorities' '$RECIPE/ca' \"\$1\"" \
    --customize-hook="upload '$RECIPE/apt.conf' /etc/apt/apt.conf.d/90lab" \
    "$@" "$SUITE" - "$RECIPE/sources.list"
}

build_host_image() {
  bootstrap "$HOST_PACKAGES" --skip=cleanup/apt \
    --customize-hook="upload '$RECIPE/init' /sbin/lab-init" \
    --customize-hook="sh '$RECIPE/customize' \"\$1\"" \
    | docker import --change 'CMD ["/sbin/lab-init"]' --change 'ENV container=docker' \
        --change 'VOLUME ["/var/lib/docker", "/var/lib/containerd"]' --change "LABEL skep.lab.recipe=$HOST_RECIPE" \
        - "$HOST_IMAGE"
}

build_engine_image() {
  printf 'FROM %s\nRUN DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-download --no-install-recommends install docker.io\n' "$HOST_IMAGE" \
    | docker build --quiet --network none --tag "$ENGINE_IMAGE" -
}

build_base_image() {
  bootstrap ca-certificates --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    | docker import --change 'CMD ["bash"]' --change "LABEL skep.lab.recipe=$BASE_RECIPE" - "$BASE_IMAGE"
}

recipe_of() { docker image inspect --format '{{ index .Config.Labels "skep.lab.recipe" }}' "$1" 2>/dev/null || true; }

# need_images builds what is not there yet.
need_images() {
  need mmdebstrap mmdebstrap
  one_at_a_time make_images
}

# one_at_a_time COMMAND… is for what labs share that may start at the same time.
one_at_a_time() {
  exec 9>"${TMPDIR:-/tmp}/skep-lab-images.lock"
  flock 9
  "$@"
  exec 9>&-
}

make_images() {
  prepare_recipe
  [[ $(recipe_of "$HOST_IMAGE") == "$HOST_RECIPE" ]] || {
    say "Building the image of a lab host from $SUITE's packages (once, about a minute)"
    quietly build_host_image || die "the lab's host image could not be built" "is the mirror in $RECIPE/sources.list reachable? SKEP_LAB_MIRROR names another"
  }
  [[ $(recipe_of "$BASE_IMAGE") == "$BASE_RECIPE" ]] || {
    say "Building the base image for builds on the lab hosts (once, about half a minute)"
    quietly build_base_image || die "the lab's base image could not be built" "is the mirror in $RECIPE/sources.list reachable? SKEP_LAB_MIRROR names another"
  }
  save_base_image
  [[ -z $ENGINE || -n $(docker image ls --quiet "$ENGINE_IMAGE") ]] || {
    say "Installing an engine into the image of a lab host (once, about half a minute)"
    quietly build_engine_image || die "the lab's host image with an engine could not be built"
  }
}

# save_base_image keeps the base image as an archive, which is how it gets to hosts that have no registry.
save_base_image() {
  local archive=$ROOT/.lab/base-image.tar id
  id=$(docker image inspect --format '{{ .Id }}' "$BASE_IMAGE")
  [[ -s $archive && $(cat "$archive.id" 2>/dev/null) == "$id" ]] && return
  docker save -o "$archive.new" "$BASE_IMAGE"
  mv "$archive.new" "$archive"
  printf '%s\n' "$id" >"$archive.id"
}
