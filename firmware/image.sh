#!/bin/sh
# Makes of a slot's root what is flashed and sent: firmware/image.sh BOARD VERSION KEY CERT OUTPUT PACKAGES ; in the builder.
# No loop device, no mount. The same root, certificate and version give the same bytes, except for the bundle's salt and
# the signatures.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
board=$1 version=$2 key=$3 cert=$4 output=$5 packages=$6
work=$(dirname "$here")/build/work/$board
root=$work/root
parts=$work/parts
name=linkspan-$version-$board
log=$work/image.log
# shellcheck source=firmware/progress.sh
. "$here/progress.sh"

# from_package NAME FILE: on standard output
from_package() {
  dpkg-deb --fsys-tarfile "$packages/$1"_*.deb | tar -x --to-stdout "./$2"
}

# outside FILE OFFSET: in genimage's words, what lies before the partitions
outside() {
  printf '  partition %s {\n    in-partition-table = false\n    image = "%s"\n    offset = %s\n  }\n' "${1%.*}" "$1" "$2"
}

# Where a board's own firmware lies at the beginning of the disk, the partitions begin behind it.
first_mib=1
# The one of the two FAT partitions that comes first
first_partition=config
console='' modules='' buffer='' device_tree=''
loader() { :; }
boot_files() { :; }
# shellcheck source=/dev/null
. "$here/boards/$board/board.conf"
boot_state=$((first_mib + 48))

# uuid NAME: always the same one
uuid() {
  printf 'linkspan %s %s' "$board" "$1" | sha256sum | sed 's/\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-8\3-8\4-\5/'
}

sector() {
  printf '%x' $(($1 * 2048 + $2))
}

# fill TEMPLATE: with the words between @ replaced
fill() {
  sed -e "s|@BOARD@|$board|g; s|@VERSION@|$version|g; s|@CONSOLE@|$console|g; s|@DEVICE_TREE@|$device_tree|g" \
    -e "s|@BUFFER@|$buffer|g; s|@BUFFER_4@|$(printf '0x%x' $((buffer + 4)))|g; s|@BUFFER_6@|$(printf '0x%x' $((buffer + 6)))|g" \
    -e "s|@COPY0@|$(sector $boot_state 0)|g; s|@COPY1@|$(sector $boot_state 1024)|g" "$1"
}

# complete_root: what only the image knows
complete_root() {
  mkdir -p "$root/usr/lib/rauc" "$root/data"
  fill "$here/rauc/system.conf" >"$root/usr/lib/rauc/system.conf"
  cp "$cert" "$root/usr/lib/rauc/keyring.pem"
  chmod 644 "$root/usr/lib/rauc/"*
  # shellcheck disable=SC2086
  "$here/initrd/pack" "$root" $modules
  find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
}

# make_slot: no larger than what is in it, so that an update writes no more. No journal: nobody writes to it.
make_slot() {
  files=$(find "$root" | wc -l)
  blocks=$(find "$root" -printf '%s\n' | awk '{ sum += int(($1 + 4095) / 4096) } END { print sum }')
  size=$(((blocks + files / 16) * 416 / 100 + 8192))
  tar -C "$root" --sort=name --numeric-owner --xattrs --xattrs-include='*' --format=pax \
    --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' -cf "$parts/root.tar" .
  mke2fs -q -F -t ext4 -b 4096 -m 0 -N $((files + 256)) -O '^has_journal,^orphan_file,^resize_inode' -L linkspan \
    -U "$(uuid root)" -E "hash_seed=$(uuid hash)" -d "$parts/root.tar" "$parts/root.ext4" "${size}k"
  rm "$parts/root.tar"
}

# make_fat FILE MIB LABEL FOLDER
make_fat() {
  truncate -s "$2M" "$1"
  mkfs.vfat --invariant -F 16 -i "$(uuid "$3" | cut -c1-8)" -n "$3" "$1"
  find "$4" -exec touch --date "@$SOURCE_DATE_EPOCH" {} +
  (cd "$4" && find . -mindepth 1 -maxdepth 1 | LC_ALL=C sort | while read -r entry; do mcopy -s -m -i "$1" "$entry" ::/; done)
}

make_fats() {
  mkdir -p "$parts/boot"
  fill "$here/boot/boot.cmd" >"$parts/boot.cmd"
  mkimage -A arm64 -T script -C none -n linkspan -d "$parts/boot.cmd" "$parts/boot/boot.scr"
  : >"$parts/boot/cmdline.txt"
  boot_files "$parts/boot"
  cp -R "$here/config" "$parts/config"
  make_fat "$parts/config.fat" 16 LINKSPAN "$parts/config"
  make_fat "$parts/boot.fat" 32 LINKBOOT "$parts/boot"
}

# partition NAME MIB IMAGE TYPE [OPTION]: in genimage's words
partition() {
  printf '  partition %s {\n    image = "%s"\n    offset = %sM\n    size = %sM\n    partition-type-uuid = "%s"\n    partition-uuid = "%s"\n    %s\n  }\n' \
    "$1" "$3" "$next" "$2" "$4" "$(uuid "$1")" "${5-}"
  next=$((next + $2))
}

table() {
  basic=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
  next=$first_mib
  printf 'image %s.img {\n  hdimage {\n    partition-table-type = gpt\n    disk-uuid = "%s"\n  }\n' "$name" "$(uuid disk)"
  loader
  if [ "$first_partition" = config ]; then partition config 16 config.fat $basic; fi
  partition boot 32 boot.fat $basic 'bootable = true'
  if [ "$first_partition" != config ]; then partition config 16 config.fat $basic; fi
  partition bootstate 1 boot-state $linux
  partition rootA 768 root.ext4 $linux
  partition rootB 768 blank $linux
  partition data 4 blank $linux
  printf '}\n'
}

make_disk() {
  # Zeros that are written, not holes: what an earlier image left on the card must not be found there.
  head -c 1M /dev/zero >"$parts/blank"
  truncate -s 1M "$parts/boot-state"
  BOOT_STATE_DEVICE=$parts/boot-state "$here/overlay/usr/lib/linkspan/firmware/boot-state" set-state A good
  BOOT_STATE_DEVICE=$parts/boot-state "$here/overlay/usr/lib/linkspan/firmware/boot-state" set-state B bad
  cp --sparse=never "$parts/boot-state" "$parts/boot-state.full"
  mv "$parts/boot-state.full" "$parts/boot-state"
  table >"$parts/genimage.cfg"
  mkdir -p "$parts/none"
  genimage --config "$parts/genimage.cfg" --rootpath "$parts/none" --tmppath "$parts/tmp" --inputpath "$parts" --outputpath "$parts"
}

# put_out: the names that people download
put_out() {
  mkdir -p "$output"
  bmaptool create "$parts/$name.img" --output "$output/$name.img.bmap"
  zstd -q -f -T2 -8 "$parts/$name.img" -o "$output/$name.img.zst"
  [ ! -e "$work/spdx.json" ] || cp "$work/spdx.json" "$output/$name.spdx.json"
  rm -f "$parts/$name.img"
}

sign() {
  cd "$output"
  sha256sum "linkspan-$version-"* >SHA256SUMS
  openssl cms -sign -binary -in SHA256SUMS -signer "$cert" -inkey "$key" -outform DER -out SHA256SUMS.p7s
}

rm -rf "$parts"
mkdir -p "$parts"
: >"$log"
step 'Boot chain: initrd, RAUC, certificate' complete_root
step 'Slot: ext4 of all files' make_slot
step 'Partitions for people and for U-Boot' make_fats
step 'Disk: GPT with six partitions' make_disk
step 'Block map and compression' put_out
step 'Update bundle, signed' "$here/bundle.sh" "$board" "$version" "$parts/root.ext4" "$key" "$cert" "$output/$name.raucb"
step 'Checksums, signed' sign
