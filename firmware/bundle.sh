#!/bin/sh
# Makes the update bundle of a slot: firmware/bundle.sh BOARD VERSION SLOT KEY CERT BUNDLE ; runs in the builder.
# RAUC's verity format: every block is checked while it is read. Its salt and the signature's time are new at each call,
# so of two bundles of the same slot the contents are equal, not the bytes.
set -eu
board=$1 version=$2 slot=$3 key=$4 cert=$5 bundle=$6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/contents"
ln "$slot" "$work/contents/rootfs.ext4" 2>/dev/null || cp --sparse=always "$slot" "$work/contents/rootfs.ext4"
cat >"$work/contents/manifest.raucm" <<MANIFEST
[update]
compatible=linkspan-$board
version=$version

[bundle]
format=verity

[image.rootfs]
filename=rootfs.ext4
MANIFEST
touch --date "@$SOURCE_DATE_EPOCH" "$work/contents/manifest.raucm"
rm -f "$bundle"
rauc bundle --key "$key" --cert "$cert" --mksquashfs-args="-comp zstd -Xcompression-level 6" "$work/contents" "$bundle"
