export LC_ALL=C

# look PATH WHAT prints one line: what there is, or `absent`, or `unread` and why. WHAT is `looks`, `digest` or `content`: a
# file is read only for the last two, and for its content only where it is short.
look() {
  if [ -L "$1" ]; then kind=link
  elif [ -f "$1" ]; then kind=file
  elif [ -d "$1" ]; then kind=folder
  elif [ -e "$1" ]; then kind=other
  else missing "$1"; return
  fi
  about=$(stat -c '%a %u %g %U %G %s %.9Y' -- "$1") || { echo "unread stat failed"; return; }
  hash=- content=-
  case $kind-$2 in
    link-*) content=$(readlink -n -- "$1" | base64 -w0) ;;
    file-digest) hash=$(sha256sum <"$1") || hash=- ;;
    file-content)
      if [ "$(stat -c %s -- "$1")" -le 65536 ]; then
        hash=$(sha256sum <"$1") || hash=-
        content=$(base64 -w0 <"$1")
      fi
      ;;
  esac
  echo "$kind $about ${hash%% *} ${content:-=}"
}

# missing PATH: it is not there only if the nearest folder above it that exists could be searched for it.
missing() {
  above=$1
  while [ ! -e "$above" ]; do above=$(dirname -- "$above"); done
  if [ ! -d "$above" ] || [ -x "$above" ]; then echo absent; else echo "unread permission denied in $above"; fi
}

