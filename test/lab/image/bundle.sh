#!/bin/sh
# Makes another update bundle of the built one, in seconds: bundle.sh BUNDLE BOARD VERSION KEY CERT OUT [FILE=PATH]…
# What lies at PATH of the slot is FILE from then on. Runs in the builder (firmware/in-builder).
set -eu
bundle=$1 board=$2 version=$3 key=$4 cert=$5 out=$6
firmware=$(dirname "$0")/../../../firmware
shift 6
work=$(mktemp -d "$out-XXXXXX")
trap 'rm -rf "$work"' EXIT

unsquashfs -quiet -no-progress -d "$work/contents" "$bundle" >/dev/null
slot=$work/contents/rootfs.ext4

# replace FILE PATH
replace() {
  printf 'rm %s\nwrite %s %s\n' "$2" "$1" "$2" | debugfs -w -f - "$slot" >/dev/null 2>&1
}
# edit PATH SED: changes a text of the slot
edit() {
  debugfs -R "dump $1 $work/text" "$slot" 2>/dev/null
  sed -i "$2" "$work/text"
  replace "$work/text" "$1"
}
edit /usr/lib/os-release "s/^IMAGE_VERSION=.*/IMAGE_VERSION=$version/"
edit /usr/lib/rauc/system.conf "s/^min-bundle-version=.*/min-bundle-version=$version/"
for change; do replace "${change%%=*}" "${change#*=}"; done
e2fsck -fn "$slot" >/dev/null 2>&1
"$firmware/bundle.sh" "$board" "$version" "$slot" "$key" "$cert" "$out"
