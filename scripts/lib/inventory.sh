# shellcheck shell=bash
# The inventory of a lab: its hosts with their keys, and the variables by which the playbooks take their sources from here.

write_inventory() {
  mkdir -p "$(dirname "$INVENTORY")"
  inventory_text >"$INVENTORY.new"
  mv "$INVENTORY.new" "$INVENTORY"
}

inventory_text() {
  local host
  cat <<END
# Written by scripts/lab for the lab $LAB; scripts/lab down removes it.
all:
  vars:
    user: ubuntu
    identity_file: $KEY
$(lab_variables)
  hosts:
END
  for host in $(hosts); do
    printf '    %s: { address: %s, host_key: "%s" }\n' "$host" "$(address "$host")" "$(cut -d' ' -f2- "$DIR/known_hosts.$host")"
  done
  printf '  children:\n    managers: { hosts: { node1: {} } }\n'
  [[ $(hosts | wc -l) -lt 2 ]] || printf '    workers: { hosts: { %s } }\n' "$(hosts | tail -n +2 | sed 's/$/: {}/' | paste -sd, | sed 's/,/, /g')"
}

# lab_variables prints what differs from the defaults here: packages instead of what only the whole internet has.
lab_variables() {
  cat <<END
    docker_source: distribution
    base_image: skep-lab/base:$SUITE
    base_image_archive: $ROOT/.lab/base-image.tar
END
  [[ ! -s $ROOT/.lab/ca.crt ]] || printf '    ca_file: %s\n' "$ROOT/.lab/ca.crt"
}
