#!/bin/sh
# Run as the first process of a PID namespace, in a copy of the mounts that machine.sh made, and a control group of its
# own as the root of all: boot.sh ROOT. Becomes systemd there.
set -eu
cd "$1"
# Settings that are this whole machine's are not to be changed from in here; those of the network are the namespace's own.
umount proc
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir run/outside
pivot_root . run/outside
umount -l /run/outside
rmdir /run/outside
# As on a machine of its own, where systemd does it: services see what is mounted later.
mount --make-rshared /
# systemd writes there what a person would look at.
: >/dev/console
exec env -i container=linkspan-test PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd
