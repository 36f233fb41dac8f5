#!/bin/sh
# Makes the root file system of a slot, without emulation: firmware/rootfs.sh BOARD LINKSPAN.deb [FOLDER]
# Result: FOLDER/root (build/work/BOARD/root), with the owners and modes that the slot will have, and beside it packages.txt (control
# fields of all that is in it). Debian's packages are unpacked, none of their scripts is run: settle.sh does their work.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
board=$1
deb=$(realpath "$2")
work=$(realpath -m "${3-$here/../build/work/$board}")

# Both ask the mirror, and neither for what the other does.
"$here/builder.sh" >/dev/null &
packages=$("$here/packages.sh" "$board")
wait $!
rm -rf "$work/root"
mkdir -p "$work/root"
exec "$here/in-builder" --see "$packages" --see "$(dirname "$deb")" --see "$work" \
  "$here/assemble.sh" "$board" "$packages" "$deb" "$work"
