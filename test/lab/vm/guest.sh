#!/bin/sh
# What the VM boots: prints the folder that holds `root` (its programs, Debian 12's, unpacked and never installed), `vmlinux`
# (the kernel of the same release) and `initrd`. Fetches them at the first call; debian.sh says whence and where to.
set -eu
here=$(dirname "$0")
debian=$here/../../../scripts/debian.sh
# shellcheck source=scripts/debian.sh
. "$debian"

# What must be there before a root can be mounted; the kernel loads all others when they are asked for.
modules='virtio_pci 9pnet_virtio 9p overlay virtio_console'

# number OFFSET BYTES: a little-endian number of the kernel's boot header (the kernel's Documentation/arch/x86/boot.rst)
number() {
  od -An -t "u$2" -j "$1" -N "$2" "$vmlinuz" | tr -d ' '
}

# unpack_kernel: vmlinuz without its compression. QEMU starts it as it is (PVH); to unpack itself it would take 3 s.
unpack_kernel() {
  setup_sectors=$(number 497 1)
  payload=$(($(number 584 4) + (setup_sectors + 1) * 512))
  # After the payload comes its length, which is no part of the stream.
  tail -c "+$((payload + 1))" "$vmlinuz" | head -c "$(number 588 4)" | xz --decompress --single-stream >"$guest/vmlinux"
}

# make_initrd VERSION: busybox, the modules, and `modules` with their files in the order in which they are loaded
make_initrd() {
  initrd=$work/initrd
  mkdir -p "$initrd/bin" "$initrd/modules"
  cp "$guest/root/usr/bin/busybox" "$initrd/bin/"
  for applet in sh insmod mkdir mount sed switch_root; do ln -s busybox "$initrd/bin/$applet"; done
  cp "$here/init.sh" "$initrd/init"
  chmod +x "$initrd/init"
  chroot "$guest/root" depmod "$1"
  # shellcheck disable=SC2086
  for module in $modules; do chroot "$guest/root" modprobe --set-version "$1" --show-depends "$module"; done |
    sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
    while read -r file; do
      cp "$guest/root$file" "$initrd/modules/"
      basename "$file" >>"$initrd/modules/order"
    done
  (cd "$initrd" && find . | "$guest/root/usr/bin/busybox" cpio -o -H newc 2>/dev/null) >"$guest/initrd"
}

[ "$(dpkg --print-architecture)" = amd64 ] || fail "the VM is an x86-64 PC; this machine's packages are of another kind"
fetched guest "$debian" "$here/init.sh"
guest=$work/guest
fetch_keyring
fetch_root guest/root bookworm linux-image-amd64 kmod busybox-static \
  bash dash coreutils findutils grep sed gawk procps util-linux libstdc++6 ca-certificates \
  iproute2 nftables iptables conntrack iputils-ping iputils-arping tcpdump ethtool bind9-dnsutils socat iperf3 \
  mosquitto dnsmasq-base iw wireless-regdb wireguard-tools docker.io mount \
  hostapd wpasupplicant network-manager dbus libc-bin
name_iptables "$guest/root"
# whom tcpdump becomes
echo 'tcpdump:x:100:100::/nonexistent:/bin/false' >>"$guest/root/etc/passwd"
echo 'tcpdump:x:100:' >>"$guest/root/etc/group"
# whom the message bus becomes, and where NetworkManager's programs look for it
echo 'messagebus:x:101:101::/nonexistent:/bin/false' >>"$guest/root/etc/passwd"
echo 'messagebus:x:101:' >>"$guest/root/etc/group"
rmdir "$guest/root/var/run"
ln -s ../run "$guest/root/var/run"
vmlinuz=$(ls "$guest"/root/boot/vmlinuz-*)
unpack_kernel
make_initrd "${vmlinuz##*/vmlinuz-}"
put_in_place
