#!/bin/sh
# Makes a settled root a slot's, in the builder: firmware/finish.sh ROOT BOARD VERSION
set -eu
root=$1 board=$2 version=$3
cd "$root"

# What runs is what the preset file of the overlay says, and nothing else.
services() {
  rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires
  systemctl --quiet --root="$root" preset-all
  # NetworkManager.service brings it along, whatever the preset says of it.
  rm -r etc/systemd/system/network-online.target.wants
  # NetworkManager has the bus start it where there is WiFi; enabled, it would also run where there is none.
  ln -s /usr/lib/systemd/system/wpa_supplicant.service etc/systemd/system/dbus-fi.w1.wpa_supplicant1.service
  # What these make is made here, once and for all: in a slot they would find /etc outdated at every boot.
  for unit in systemd-sysusers ldconfig systemd-hwdb-update systemd-journal-catalog-update systemd-update-done; do
    ln -s /dev/null "etc/systemd/system/$unit.service"
  done
  # There is no screen, no gadget and no file system of a user's: these would load modules for them at every boot.
  for unit in modprobe@drm.service sys-kernel-config.mount sys-fs-fuse-connections.mount; do
    ln -s /dev/null "etc/systemd/system/$unit"
  done
  # The initrd has mounted all there is, the journal stays in memory, nobody debugs the kernel here: two to eight seconds
  # each in the list of an emulated start (systemd-analyze blame).
  for unit in systemd-remount-fs.service systemd-journal-flush.service systemd-udev-load-credentials.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount; do
    ln -s /dev/null "etc/systemd/system/$unit"
  done
  # It asks questions on a console at which nobody sits; nor is there anybody who could log in there.
  ln -s /dev/null etc/systemd/system/systemd-firstboot.service
  mkdir -p etc/systemd/system-generators
  # Nor for partitions, shells, scripts and hardware that a gateway does not have.
  for generator in getty gpt-auto hibernate-resume rc-local ssh sysv tpm2; do
    ln -s /dev/null "etc/systemd/system-generators/systemd-$generator-generator"
  done
}

identity() {
  # Made at the first boot. Empty, not "uninitialized", which would be a first boot with questions to answer.
  : >etc/machine-id
  rm -f etc/hostname
  # os-release(5): what an update compares
  printf 'IMAGE_ID=linkspan-%s\nIMAGE_VERSION=%s\n' "$board" "$version" >>usr/lib/os-release
  # Where the hardware has no clock, time starts here and not in 1970 (systemd(1)).
  : >usr/lib/clock-epoch
}

modes() {
  # as its units would have it, and its package's script: keys may lie here
  chown -R 0:910 etc/linkspan
  chmod 750 etc/linkspan
  # NetworkManager does not read what others may read: it may hold keys.
  chmod 600 usr/lib/NetworkManager/system-connections/*
  # It is NetworkManager's, in memory: an address from a DHCP server must not wear out the flash.
  ln -sf /run/NetworkManager/resolv.conf etc/resolv.conf
}

leftovers() {
  find usr/share/doc ! -type d ! -name copyright -delete
  find usr/share/doc -type d -empty -delete
  rm -rf var/log/*.log var/cache/* etc/*- etc/.pwd.lock tmp/* run/* var/lib/systemd/catalog
}

# Same contents, same bytes: nothing is younger than what it is made of.
clamp_times() {
  find . -type d -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
  find . -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

services
identity
modes
leftovers
clamp_times
