#!/bin/sh
# The first program of the VM, in its initrd: gives it a root that can be written and forgets everything, and starts `main`
# of the folder that this boot brings. The kernel's command line names the checkout, which lies there where it lies outside.
set -eu
mkdir -p /proc /sys /dev /lower /upper /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

# share TAG FOLDER: what the machine outside lets us see, to be read only. It does not change while we run.
share() {
  mkdir -p "$2"
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose "$1" "$2"
}
share root /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/changed /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changed,workdir=/upper/work root /root
for kept in proc sys dev; do
  mkdir -p "/root/$kept"
  mount --move "/$kept" "/root/$kept"
done
mkdir -p /root/run /root/tmp /root/dev/pts /root/dev/shm
mount -t tmpfs tmpfs /root/run
mount -t tmpfs tmpfs /root/tmp
mount -t devpts devpts /root/dev/pts
share boot /root/run/boot
checkout=$(sed -n 's/.* checkout=\([^ ]*\).*/\1/p' /root/proc/cmdline)
share checkout "/root$checkout"
exec switch_root /root /bin/sh /run/boot/main
