#!/bin/sh
# Ends every process of a control group and of those below it, in each hierarchy, and removes them: cgroup.sh NAME
set -u
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  set -- "$1"
  for folder in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
    [ ! -d "$folder" ] || set -- "$@" "$folder"
  done
  [ $# -gt 1 ] || exit 0
  name=$1
  shift
  # Version 1 lets no signal through to a frozen process, in whichever hierarchy it is found.
  find "$@" -name freezer.state -exec sh -c 'echo THAWED >"$1"' - {} \;
  find "$@" -name cgroup.procs -exec cat {} + | sort -u | xargs -r kill -9
  find "$@" -depth -type d -exec rmdir {} +
  set -- "$name"
  sleep 0.1
done 2>/dev/null
echo "control group $1 is still in use" >&2
exit 1
