#!/bin/sh
# Puts the kernel into a root, in the builder: firmware/kernel.sh PACKAGES ROOT BOARD
# /boot/vmlinuz (Debian's for arm64 is a plain Image, as U-Boot's booti takes it), the modules without those of
# left-out-modules.list, and the device trees that boards/BOARD/dtbs.list names, in /boot/dtbs.
set -eu
here=$(dirname "$0")
packages=$1 root=$2 board=$3

archive=$(ls "$packages"/linux-image-[0-9]*.deb)
without=$(mktemp)
sed '/^#/d; /^$/d; s|.*|./usr/lib/modules/*/kernel/&|; p; s|$|.ko.xz|' "$here/left-out-modules.list" >"$without"
dpkg-deb --fsys-tarfile "$archive" |
  tar -x -C "$root" --keep-directory-symlink --wildcards --exclude-from="$without" --exclude='./boot/[Sc]*' \
    --exclude='./usr/share/doc/*/changelog*' ./boot ./usr/lib/modules ./usr/share/doc
version=$(ls "$root/usr/lib/modules")
mv "$root/boot/vmlinuz-$version" "$root/boot/vmlinuz"
depmod -b "$root/usr" "$version"

dtbs=$here/boards/$board/dtbs.list
if [ -e "$dtbs" ]; then
  mkdir "$root/boot/dtbs"
  # shellcheck disable=SC2046
  dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root/boot/dtbs" --strip-components=5 \
    $(sed "/^#/d; /^\$/d; s|^|./usr/lib/linux-image-$version/|" "$dtbs")
fi
