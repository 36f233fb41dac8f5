#!/bin/sh
# Run in a network namespace and new mount, UTS and IPC namespaces (see machine.ts); becomes the process that keeps them:
# machine.sh FOLDER BASE PACKAGES. FOLDER/root is BASE with what is changed since above it, and PACKAGES at /packages.
set -eu
folder=$1 base=$2 packages=$3
cd "$folder"
mkdir root layer
# An overlay cannot lie on another one, as this machine's own root may be.
mount -t tmpfs -o mode=755 tmpfs layer
mkdir layer/upper layer/work
mount -t overlay -o "lowerdir=$base,upperdir=layer/upper,workdir=layer/work" overlay root
cd root

mkdir packages
mount --bind "$packages" packages
mount -o remount,bind,ro packages
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200; do
  IFS=: read -r name major minor <<X
$device
X
  mkdir -p dev/net
  mknod -m 666 "dev/$name" c "$major" "$minor"
done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx

echo gw-deb >etc/hostname
echo gw-deb >/proc/sys/kernel/hostname
# Nobody sits at its console, and it has no kernel modules.
for unit in console-getty systemd-modules-load; do ln -s /dev/null "etc/systemd/system/$unit.service"; done
echo ready
exec sleep infinity
