#!/bin/sh
# The builder: a root of Debian trixie for this machine with every tool that makes an image, so that neither the release of
# the machine nor what is installed on it matters. Prints its folder; fetched at the first call, see debian.sh.
# Its packages are unpacked and not configured: for tools that are called, that is enough.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
debian=$here/../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"

fetched builder "$debian" "$here/builder.list"
fetch_keyring
# shellcheck disable=SC2046
fetch_root builder trixie '?essential' $(sed 's/#.*//' "$here/builder.list")
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
: >"$root/etc/shadow"
ln -s mawk "$root/usr/bin/awk"
put_in_place
