# shellcheck shell=bash
# A playbook of 1,000 steps for 200 hosts, read and checked: part of scripts/bench.

# large FOLDER STEPS HOSTS writes a playbook and its inventory: ten sorts of steps, in plays of a hundred.
large() {
  python3 - "$@" <<'END'
import sys
folder, steps, hosts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
SORTS = [
    'file: { path: "{{ base }}/f%d", content: "{{ version }}\\n", mode: "0644" }',
    'shell: echo {{ version }} >{{ base }}/s%d\n        creates: "{{ base }}/s%d"',
    'container: { name: c%d, image: "app:{{ version }}", env: { ROLE: "{{ role }}", CORES: "{{ facts.cores }}" } }',
    'docker: ps --filter name=c%d\n        changes: false\n        register: r%d',
    'file: { path: "{{ base }}/l%d-{{ item }}", content: "{{ item }}" }\n        loop: [a, b]',
    'shell: test -e {{ base }}/f%d\n        changes: false\n        when: role == "workers" and facts.memory_mib > 100',
    'wait_for: { command: "test -e {{ base }}/f%d" }',
    'file: { path: "{{ base }}/h%d", content: "{{ inventory_hostname }} {{ number }}" }',
    'image: { name: "app:{{ version }}-%d", pull: true }',
    'file: { path: "{{ base }}/d%d", state: directory }',
]
with open(f"{folder}/hosts.yml", "w") as out:
    out.write(f'all:\n  vars: {{ user: nobody, identity_file: {folder}/key, base: /srv/app, version: "1.27" }}\n  children:\n')
    for group, numbers in (("managers", range(3)), ("workers", range(3, hosts))):
        out.write(f"    {group}:\n      vars: {{ role: {group} }}\n      hosts:\n")
        for number in numbers:
            out.write(f"        node{number}: {{ address: 127.0.0.1, port: 9, number: {number} }}\n")
with open(f"{folder}/site.yml", "w") as out:
    out.write("plays:\n")
    for number in range(steps):
        if number % 100 == 0:
            out.write(f"  - name: Play {number // 100}\n    hosts: all\n    steps:\n")
        sort = SORTS[number % len(SORTS)]
        out.write(f"      - id: s{number}\n        {sort.replace('%d', str(number))}\n")
END
  ssh-keygen -q -t ed25519 -N '' -f "$1/key" <<<y >/dev/null
}

# checked STEPS HOSTS is what it costs: seconds of a processor and MB.
checked() {
  local folder user system memory
  folder=$(mktemp -d)
  large "$folder" "$1" "$2"
  command time -o "$folder/time" -f '%U %S %M' \
    "${CARGO_TARGET_DIR:-target}/release/skep" check "$folder/site.yml" -i "$folder/hosts.yml" --ssh-config none >/dev/null
  read -r user system memory <"$folder/time"
  rm -rf "$folder"
  echo "$(figure "$user + $system") $((memory / 1024))"
}

# begun STEPS HOSTS is what a run of it costs until it knocks at the first host: seconds and MB.
begun() {
  local folder
  folder=$(mktemp -d)
  large "$folder" "$1" "$2"
  python3 - "${CARGO_TARGET_DIR:-target}/release/skep" "$folder" <<'END'
import re, subprocess, sys, time
skep, folder = sys.argv[1:]
words = [skep, "run", f"{folder}/site.yml", "-i", f"{folder}/hosts.yml", "--ssh-config", "none", "--wait", "1s", "--output", "json"]
start = time.monotonic()
with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
    next(line for line in run.stdout if '"event":"host_connecting"' in line)
    seconds = time.monotonic() - start
    memory = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{run.pid}/status").read())[1])
    run.kill()
print(f"{seconds:.2f} {memory // 1024}")
END
  rm -rf "$folder"
}

check() {
  local seconds memory more
  need time time
  say "A playbook of 1,000 steps for 200 hosts is checked"
  cargo build --quiet --release
  read -r seconds memory < <(checked 1000 200)
  held "reading and checking it" "$seconds" 0.5 s
  held "memory for it" "$memory" 100 MB
  read -r more memory < <(begun 1000 200)
  held "a run of it until it knocks at the first host" "$more" 0.5 s
  held "memory for that" "$memory" 100 MB
  read -r more _ < <(checked 2000 200)
  held "twice the steps take" "$(figure "$more / $seconds")" 2.4 times
  read -r more _ < <(checked 1000 400)
  held "twice the hosts take" "$(figure "$more / $seconds")" 2.4 times
}
