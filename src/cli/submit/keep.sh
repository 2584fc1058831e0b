# Holds a fresh folder for one job, as long as somebody holds our standard input: Ctrl-C, a lost connection or a killed skep
# all end that, then the job's process group, then the folder. $1: the bytes of the archive that comes first; $2: whether to
# ask for the master.
page=http://${MASTER_CONTAINER_NAME:-spark-master}:8080/json/
[ "$2" != master ] || wget -q -O /dev/null -T 5 -t 2 "$page" || { echo "the master does not answer at $page" >&2; exit 69; }
set -e
folder=$(mktemp -d /tmp/skep-job.XXXXXX)
over() {
    # By another name first: whoever has not begun by then cannot begin any more.
    mv "$folder" "$folder.over"
    for job in "$folder.over"/job.*; do
        group=${job##*.} tenths=0
        kill -s TERM -- "-$group" 2>/dev/null || continue
        # Its file goes with it; a process that nobody has reaped is there for kill(1) long after its end.
        while [ $tenths -lt 100 ] && [ -e "$job" ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 0.1; tenths=$((tenths + 1)); done
        kill -s KILL -- "-$group" 2>/dev/null || :
    done
    rm -rf "$folder.over"
}
trap over EXIT
trap 'exit 1' HUP INT TERM
mkdir "$folder/work"
head -c "$1" | tar -xf - -C "$folder/work"
echo "$folder"
cat >/dev/null
