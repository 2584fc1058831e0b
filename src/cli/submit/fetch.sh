# Packs $2, seen from the folder of the job $1: what is in a folder, or one file, even where its name is a link.
cd "$1/work" || exit
[ -e "$2" ] || { echo "there is no $2" >&2; exit 66; }
if [ -d "$2" ]; then exec tar -cf - -C "$2" -- .; fi
exec tar -chf - -C "$(dirname -- "$2")" -- "$(basename -- "$2")"
