#!/bin/sh
# A minimal Debian that can boot, for tests of the package: prints its folder. What the package depends on lies in apt's
# cache there, not installed. Made at the first call; debian.sh says whence and where to.
set -eu
top=$(dirname "$0")/../../..
debian=$top/scripts/debian.sh
control=$top/firmware/deb/control.in
# shellcheck source=scripts/debian.sh
. "$debian"

release=trixie
fetched "package-$release" "$debian" "$control"
fetch_keyring
root=$work/package-$release
keyring=$work/keyring$ours
sources "$release" "$keyring" |
  mmdebstrap --quiet --mode=root --variant=minbase --include=systemd-sysv,dbus "$release" "$root" >&2
# Names only: no versions, and of alternatives the first.
depends=$(sed -n 's/^Depends: //p' "$control" | sed 's/([^)]*)//g; s/|[^,]*//g; s/,//g')
cp "$keyring" "$root/etc/apt/trusted.gpg.d/"
sed -i 's/\[signed-by=[^]]*\] //' "$root/etc/apt/sources.list"
chroot "$root" apt-get -qq update >&2
# shellcheck disable=SC2086
chroot "$root" apt-get -qq -y --no-install-recommends --download-only install $depends >&2
put_in_place
