#!/bin/sh
# Makes another update bundle of the built one, in seconds: bundle.sh BUNDLE KEY CERT OUT COMPATIBLE VERSION [FILE=PATH]…
# What lies at PATH of the slot is FILE from then on. Runs in the builder (firmware/in-builder).
set -eu
bundle=$1 key=$2 cert=$3 out=$4 compatible=$5 version=$6
shift 6
work=$(mktemp -d "$out-XXXXXX")
trap 'rm -rf "$work"' EXIT

unsquashfs -quiet -no-progress -d "$work/content" "$bundle" >/dev/null
manifest=$work/content/manifest.raucm
slot=$work/content/$(sed -n 's/^filename=//p' "$manifest" | head -n 1)

# replace FILE PATH
replace() {
  printf 'rm %s\nwrite %s %s\n' "$2" "$1" "$2" | debugfs -w -f - "$slot" >/dev/null 2>&1
}
release=$work/os-release
debugfs -R "dump /usr/lib/os-release $release" "$slot" 2>/dev/null
sed -i "s/^IMAGE_VERSION=.*/IMAGE_VERSION=$version/" "$release"
grep -q '^IMAGE_VERSION=' "$release" || echo "IMAGE_VERSION=$version" >>"$release"
replace "$release" /usr/lib/os-release
for change; do replace "${change%%=*}" "${change#*=}"; done

# What it says of the old contents, rauc computes anew.
sed -i -e "s/^compatible=.*/compatible=$compatible/" -e "s/^version=.*/version=$version/" \
  -e '/^sha256=/d' -e '/^size=/d' -e '/^verity-/d' "$manifest"
rm -f "$out"
rauc --cert "$cert" --key "$key" bundle "$work/content" "$out" >/dev/null
