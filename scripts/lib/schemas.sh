# shellcheck shell=bash
# The schemas for editors, judged by a validator that is not ours. What a file is held to is what its own first line names, as an
# editor would read it.

JUDGE=$ROOT/target/check-jsonschema
JUDGE_VERSION=0.39.0

# need_judge installs the validator into a folder of its own, once.
need_judge() {
  [[ $("$JUDGE/bin/check-jsonschema" --version 2>/dev/null) == *" $JUDGE_VERSION" ]] && return
  need python3 python3
  python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv || die "python3-venv could not be installed" "apt-get install python3-venv"
  say "Installing check-jsonschema $JUDGE_VERSION (into ${JUDGE#"$ROOT"/}, once)"
  { quietly python3 -m venv --clear "$JUDGE" && quietly "$JUDGE/bin/pip" install "check-jsonschema==$JUDGE_VERSION"; } ||
    die "check-jsonschema could not be installed" "it comes from PyPI: pip's own words are above"
}

# schemas: those that ship are sound, take what is right and refuse what is wrong.
schemas() {
  local right wrong
  mapfile -t right < <(git ls-files 'playbooks/*.yml' ':!playbooks/spark/*' 'inventory/*.yml' 'tests/it/schemas/right/*.yml')
  mapfile -t wrong < <(git ls-files 'tests/it/schemas/wrong/*.yml')
  [[ ${#right[@]} -ge 9 && ${#wrong[@]} -ge 20 ]] || die "there are too few files to judge the schemas by"
  quietly "$JUDGE/bin/check-jsonschema" --check-metaschema schemas/*.json &&
    for_each_schema all_taken "${right[@]}" &&
    for_each_schema all_refused "${wrong[@]}"
}

# for_each_schema COMMAND FILE… calls COMMAND SCHEMA FILE… once for each schema that the files name.
for_each_schema() {
  local command=$1 file schema
  local -A files=()
  shift
  for file in "$@"; do
    schema=$(schema_of "$file") || return
    files[$schema]+=" $file"
  done
  for schema in "${!files[@]}"; do
    # shellcheck disable=SC2086 # names of ours, without blanks
    "$command" "$schema" ${files[$schema]} || return
  done
}

# schema_of FILE prints the path that its first line names.
schema_of() {
  local named
  # shellcheck disable=SC2016 # the dollar is the line's own
  named=$(sed -n '1s/^# yaml-language-server: \$schema=//p' "$1")
  [[ -n $named && -f $(dirname "$1")/$named ]] || die "the first line of $1 names no schema that is there"
  realpath --relative-to=. "$(dirname "$1")/$named"
}

all_taken() { quietly "$JUDGE/bin/check-jsonschema" --schemafile "$1" "${@:2}"; }

# all_refused SCHEMA FILE… fails for a file that is taken, or refused elsewhere than its second line says.
all_refused() {
  local report file at
  report=$("$JUDGE/bin/check-jsonschema" --output-format json --schemafile "$1" "${@:2}") || true
  for file in "${@:2}"; do
    at=$(sed -n '2s/^# refused at: //p' "$file")
    grep -F -A 1 "\"filename\": \"$file\"" <<<"$report" | grep -qF "\"path\": \"$at\"" ||
      die "$1 does not refuse $file at $at" "$JUDGE/bin/check-jsonschema --schemafile $1 $file"
  done
}
