# Who holds the locks of the package manager, one line each: path, process, its command line.
# /proc/locks knows a lock by its file's inode; that the process has that very file open is what makes it sure.
for path in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
  inode=$(stat -c %i -- "$path" 2>/dev/null) || continue
  while read -r _ kind _ _ pid file _; do
    [ "$kind" != "->" ] && [ "${file##*:}" = "$inode" ] || continue
    if [ -r "/proc/$pid/fd" ]; then
      holds=no
      for open in "/proc/$pid/fd/"*; do [ "$open" -ef "$path" ] && holds=yes; done
      [ "$holds" = yes ] || continue
    fi
    echo "$path $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
  done </proc/locks
done
echo end
