#!/bin/sh
# The steps of rootfs.sh that run in the builder: firmware/assemble.sh BOARD PACKAGES LINKSPAN.deb WORK
set -eu
here=$(dirname "$0")
board=$1 packages=$2 deb=$3 fields=$4/packages.txt
# At the same place everywhere: some tools write down where they found what they read. This mount ends with us.
root=/tmp/root
mkdir "$root"
mount --bind "$4/root" "$root"

# chosen: the packages that belong into the root, without those that packages.list leaves out
chosen() {
  set -f
  # shellcheck disable=SC2046
  set -- $(sed -n 's/^-//p' "$here/packages.list" "$here/boards/$board/packages.list" 2>/dev/null)
  set +f
  for archive in "$packages"/*.deb; do
    name=${archive##*/} name=${name%%_*}
    for out; do
      # shellcheck disable=SC2254
      case $name in $out) continue 2 ;; esac
    done
    echo "$archive"
  done
}

# unpack ARCHIVE: as dpkg does, /bin, /lib and /sbin being links
unpack() {
  dpkg-deb --fsys-tarfile "$1" | tar -x --numeric-owner --keep-directory-symlink -C "$root" --exclude-from="$here/left-out-files.list"
}

mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
for link in bin sbin lib; do ln -s "usr/$link" "$root/$link"; done
{ chosen; ls "$packages"/linux-image-[0-9]*.deb "$deb"; } >"$fields.archives"
chosen | while read -r archive; do unpack "$archive"; done
unpack "$deb"
"$here/kernel.sh" "$packages" "$root" "$board"
while read -r archive; do
  dpkg-deb --field "$archive"
  echo
done <"$fields.archives" >"$fields"
rm "$fields.archives"

cp -R --no-preserve=mode,ownership,timestamps "$here/overlay/." "$root/"
(cd "$here/overlay" && find . -type f -perm -u+x) | while read -r program; do chmod 755 "$root/$program"; done
"$here/settle.sh" "$root"
"$here/finish.sh" "$root" "$board" "$(dpkg-deb --field "$deb" Version)"
