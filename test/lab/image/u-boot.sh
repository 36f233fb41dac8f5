#!/bin/sh
# The bootloader in the flash of the image's test board: prints the folder that holds Debian 13's u-boot-qemu, which is
# fetched at the first call; debian.sh says whence and where to.
set -eu
debian=$(dirname "$0")/../../../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"

fetched u-boot "$debian"
fetch_keyring
fetch_root u-boot trixie u-boot-qemu
put_in_place
