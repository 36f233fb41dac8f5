#!/bin/sh
# Two releases of Docker as Debian ships them, unpacked and never installed (installed, they would start daemons), each
# with every library it needs: prints the folder that holds `bookworm`, `newer` (roots with a /usr and an /etc) and
# `busybox.tar` (the root of a small image). Fetches them at the first call; debian.sh says whence and where to.
set -eu
debian=$(dirname "$0")/../../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"

# make_image BUSYBOX: the root of an image in which every applet is a command
make_image() {
  image=$work/image
  mkdir -p "$image/bin" "$image/etc" "$image/tmp" "$image/root"
  cp "$1" "$image/bin/busybox"
  for applet in $("$1" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$image/bin/$applet"
  done
  tar -c -f "$work/engines/busybox.tar" --owner=0 --group=0 -C "$image" .
}

fetched engines "$debian"
fetch_keyring
fetch_root engines/bookworm bookworm docker.io iptables busybox-static
fetch_root engines/newer trixie docker.io docker-cli docker-compose iptables
name_iptables "$work/engines/bookworm"
name_iptables "$work/engines/newer"
make_image "$work/engines/bookworm/usr/bin/busybox"
put_in_place
