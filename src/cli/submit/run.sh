# Runs a job in the folder $1. A file's name says which process group it is, which ends with the folder's holder; another file,
# that it has ended by itself.
job=$1/job.$$ work=$1/work
shift
cd "$work" && : >"$job" || exit 75
trap : HUP INT TERM
"$@"
code=$?
# What it leaves in the background ends with it, but what passes on its last words (tee) may do so.
sleep 0.2
kill -s TERM -- "-$$" 2>/dev/null
# Its folder may go by another name by now.
mv -f "../job.$$" ../ended 2>/dev/null
exit $code
