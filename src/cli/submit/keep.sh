# Holds a fresh folder for one job, as long as somebody holds our standard input and says something there: Ctrl-C, a lost
# connection or a killed skep all end that, then the job's process group, then the folder. $1: the bytes of the archive that
# comes first; $2: whether to ask for the master; $3: after how many silent seconds nobody is there any more, for a network
# that is cut says no end; $4: whether something is to be fetched.
page=http://${MASTER_CONTAINER_NAME:-spark-master}:8080/json/
[ "$2" != master ] || wget -q -O /dev/null -T 5 -t 2 "$page" || { echo "the master does not answer at $page" >&2; exit 69; }
set -e
silence=$3 wanted=$4 said=
folder=$(mktemp -d /tmp/skep-job.XXXXXX)
listed() { cd "$1" 2>/dev/null && ls -AlR; }
over() {
    # By another name first: whoever has not begun by then cannot begin any more.
    mv "$folder" "$folder.over"
    # What a job has ended with is the only copy, until it is said that all has come. One that is ended by us has none.
    [ "$wanted" = fetch ] && [ "$said" != ! ] && [ -e "$folder.over/ended" ] || wanted=
    for job in "$folder.over"/job.*; do
        group=${job##*.} tenths=0
        kill -s TERM -- "-$group" 2>/dev/null || continue
        # Its file goes with it; a process that nobody has reaped is there for kill(1) long after its end.
        while [ $tenths -lt 100 ] && [ -e "$job" ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 0.1; tenths=$((tenths + 1)); done
        # Whose file has gone is about to end with the job's own code.
        [ -e "$job" ] || sleep 0.2
        kill -s KILL -- "-$group" 2>/dev/null || :
    done
    # Of what was sent there is the original.
    [ -d "$folder.over/work" ] && [ "$(listed "$folder.over/work")" != "$sent" ] || wanted=
    [ -z "$wanted" ] || mv "$folder.over/work" "$folder.kept"
    rm -rf "$folder.over"
    # Last, for where nobody listens any more to say something may be our end.
    [ -z "$wanted" ] || { echo "$folder.kept:"; ls -Ap "$folder.kept" | head -n 12; } >&2
}
trap over EXIT
trap 'exit 1' HUP INT TERM
mkdir "$folder/work"
head -c "$1" | tar -xf - -C "$folder/work"
sent=$(listed "$folder/work")
echo "$folder"
while word=$(timeout "$silence" head -c 1) && [ -n "$word" ]; do said=$word; done
