#!/bin/sh
# Debian's packages of a board's image, fetched and not unpacked: firmware/packages.sh BOARD
# Prints the folder that holds them. debian.sh says whence and where to; nothing after this asks a mirror.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
debian=$here/../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"
# The firmware that WiFi chips load is not free software.
components='main non-free-firmware'
architecture=arm64

# unsettled: packages whose scripts do something that nobody has looked at
unsettled() {
  for archive in "$work"/packages/*.deb; do
    name=${archive##*/}
    # a kernel's name has its version in it, and kernel.sh takes it apart
    case $name in linux-image-*) continue ;; esac
    ! dpkg-deb --ctrl-tarfile "$archive" | tar -t | grep -qx ./postinst || echo "${name%%_*}"
  done | grep -vxF -f "$here/settled.list" || true
}

lists=$here/packages.list
[ ! -e "$here/boards/$1/packages.list" ] || lists="$lists $here/boards/$1/packages.list"
# shellcheck disable=SC2086
fetched packages "$debian" $lists
fetch_keyring
# shellcheck disable=SC2046,SC2086
fetch_packages trixie $(sed '/^[#-]/d' $lists)
mv "$work"/apt-trixie/cache/archives/*.deb "$work/packages"
unknown=$(unsettled)
[ -z "$unknown" ] || fail "what do the scripts of these do? see settled.list:" $unknown
put_in_place
