#!/bin/sh
# Does in a root what the scripts of Debian's packages would have done there, in the builder: firmware/settle.sh ROOT
# settled.list names every package that has such a script; a new one is a new line there, and perhaps a new step here.
set -eu
here=$(dirname "$0")
root=$1
cd "$root"

# links NAME=TARGET…: what update-alternatives would choose where one package alone offers it
links() {
  for link; do ln -sf "${link#*=}" "${link%%=*}"; done
}

# base-passwd, passwd: nobody has a password, so nobody logs in by one
passwords() {
  cp usr/share/base-passwd/group.master etc/group
  sed 's/:\*:/:x:/' usr/share/base-passwd/passwd.master >etc/passwd
  sed 's/:.*/:*::0:99999:7:::/' etc/passwd >etc/shadow
  sed 's/:.*/:*::/' etc/group >etc/gshadow
  chown 0:42 etc/shadow etc/gshadow
  chmod 640 etc/shadow etc/gshadow
  : >etc/subuid
  : >etc/subgid
}

# systemd, udev, dbus, docker.io, network-manager, wpasupplicant, mosquitto, tcpdump
users() {
  systemd-sysusers --root="$root" - <"$here/ids.conf" 2>&1 | grep -v ^Creating || true
  systemd-sysusers --root="$root"
  # as dpkg-statoverride would have it: whoever the bus starts a service for becomes root by this
  chown root:904 usr/lib/dbus-1.0/dbus-daemon-launch-helper
  chmod 4754 usr/lib/dbus-1.0/dbus-daemon-launch-helper
  chown 913:913 var/lib/mosquitto var/log/mosquitto
  # leases and keys
  chmod 700 var/lib/NetworkManager
}

# base-files, libc-bin, debianutils, readline-common; and where the partitions are mounted
files() {
  mkdir -p mnt srv opt data config media home root run tmp proc sys dev boot etc/opt var/mail var/opt var/tmp
  chmod 1777 tmp var/tmp
  chmod 700 root
  chgrp mail var/mail
  chmod 2775 var/mail
  # Some packages bring folders of these names.
  rm -rf var/run var/lock
  links var/run=/run var/lock=/run/lock etc/mtab=../proc/self/mounts
  cp usr/share/base-files/dot.profile root/.profile
  cp usr/share/base-files/dot.bashrc root/.bashrc
  cp usr/share/base-files/profile etc/profile
  cp usr/share/libc-bin/nsswitch.conf etc/nsswitch.conf
  cp usr/share/debianutils/shells etc/shells
  [ ! -e usr/share/readline/inputrc ] || cp usr/share/readline/inputrc etc/inputrc
}

# mawk, debianutils, util-linux, iptables, wireless-regdb
alternatives() {
  links usr/bin/awk=mawk usr/bin/nawk=mawk usr/bin/which=which.debianutils usr/bin/pager=more
  links usr/lib/firmware/regulatory.db=regulatory.db-debian usr/lib/firmware/regulatory.db.p7s=regulatory.db.p7s-debian
  # nftables' kind, as Debian's default is, and as linkspand expects it
  for name in iptables ip6tables arptables ebtables; do
    links "usr/sbin/$name=$name-nft" "usr/sbin/$name-restore=$name-nft-restore" "usr/sbin/$name-save=$name-nft-save"
  done
}

# ca-certificates: the bundle that GnuTLS and curl read, and the folder that OpenSSL looks into
certificates() {
  (cd usr/share/ca-certificates && ls mozilla/*.crt) >etc/ca-certificates.conf
  while read -r certificate; do
    name=${certificate##*/}
    ln -s "../../../usr/share/ca-certificates/$certificate" "etc/ssl/certs/${name%.crt}.pem"
    # some have no last line end
    sed '$a\' "usr/share/ca-certificates/$certificate"
  done <etc/ca-certificates.conf >bundle
  openssl rehash etc/ssl/certs
  mv bundle etc/ssl/certs/ca-certificates.crt
}

# libpam-runtime, libpam-modules
logins() {
  pam-auth-update --root "$root" --package --force
  rm -rf etc/pam.d/*.pam-old var/lib/pam
  : >etc/environment
  : >etc/security/opasswd
  chmod 600 etc/security/opasswd
}

# udev: made of these, and read instead of them
hardware_names() {
  systemd-hwdb --root="$root" --usr update
  rm -r usr/lib/udev/hwdb.d
}

passwords
users
files
alternatives
certificates
logins
hardware_names
