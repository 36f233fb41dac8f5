#!/bin/sh
# The image's test board: prints the folder that holds Debian 13's QEMU and the bootloader of its flash, u-boot-qemu, unpacked
# and never installed. They are fetched at the first call; debian.sh says whence and where to.
# Not this machine's own QEMU: before 8.0 it translates a library anew for each program that maps it at another address, and a
# boot takes half as long again.
set -eu
debian=$(dirname "$0")/../../../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"

fetched board "$debian"
fetch_keyring
fetch_root board trixie qemu-system-arm u-boot-qemu
put_in_place
