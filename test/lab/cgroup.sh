#!/bin/sh
# Ends every process of a control group and of those below it, in each hierarchy, and removes them: cgroup.sh NAME
set -u
for folder in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
  for try in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "$folder" ] || continue 2
    # Version 1 lets no signal through to a frozen process.
    find "$folder" -name freezer.state -exec sh -c 'echo THAWED >"$1"' - {} \;
    find "$folder" -name cgroup.procs -exec cat {} + | sort -u | xargs -r kill -9
    find "$folder" -depth -type d -exec rmdir {} + && continue 2
    sleep 0.1
  done 2>/dev/null
  echo "$folder is still in use" >&2
  exit 1
done
