# Runs a job in the folder $1. A file's name says which process group it is, which ends with the folder's holder.
job=$1/job.$$ work=$1/work
shift
cd "$work" && : >"$job" || exit 75
trap : HUP INT TERM
"$@"
code=$?
# Its folder may go by another name by now.
rm -f "../job.$$"
exit $code
