#!/bin/sh
# Run in a network namespace and a new mount namespace (see dockerd-node.ts); becomes the process that keeps the latter:
# dockerd-node.sh FOLDER ENGINES. FOLDER holds nothing but `plugins`; ENGINES is what docker-engines.sh printed. Says
# which process keeps each engine's mount namespace, and which storage driver works.
set -eu
folder=$1 engines=$2
cd "$folder"
mkdir run sys-fs-cgroup etc usr

# What /sys shows of the network is that of the namespace it was mounted in; a new one comes without the cgroups.
mount --rbind /sys/fs/cgroup sys-fs-cgroup
mount -t sysfs sysfs /sys
mount --move sys-fs-cgroup /sys/fs/cgroup

# A /run of its own, so that every program may use its default paths; named network namespaces are the machine's.
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock run/netns run/docker/plugins
mount --rbind /run/netns run/netns
mount --bind plugins run/docker/plugins
# mount(8) notes what it did below /run, which moves away under it here.
mount --no-mtab --move run /run
# What an engine mounts below /run, such as the network namespace of a container, is to be seen by all.
mount --make-shared /run

# An engine's view is this one, but for the programs and their settings. It takes a mount namespace of its own: out of a
# mere chroot, `docker exec` would enter this machine's root instead of the container's. Once /usr is another, this machine's programs are gone there.
for engine in bookworm newer; do
  cp -R "$engines/$engine/etc" "etc/$engine"
  unshare --mount --propagation unchanged sh -euc '
    sleep infinity >/dev/null 2>&1 &
    mount --bind "$1/usr" usr
    mount -o remount,bind,ro usr
    mount --bind "etc/$2" /etc
    mount --move usr /usr
    echo "keeper $2 $!"' - "$engines/$engine" "$engine"
done

# An overlay cannot lie on every file system, on another overlay for one.
mkdir -p probe/lower probe/upper probe/work probe/merged
storage=vfs
if mount -t overlay -o lowerdir=probe/lower,upperdir=probe/upper,workdir=probe/work overlay probe/merged; then
  umount probe/merged
  storage=overlay2
fi
rm -r probe
echo "storage $storage"
exec sleep infinity
