#!/bin/sh
# Becomes systemd, as PID 1 of namespaces of its own, on a throw-away copy of this machine's files.
#
#     unshare --mount --pid --fork --uts --ipc --net sh boot_systemd.sh CGROUP WORKDIR [SHARED ...]
#
# CGROUP is an empty cgroup (v2), which becomes the root of the lab's own. WORKDIR is an empty directory; the PID as
# the machine sees it goes to WORKDIR.pid. SHARED directories are seen as they are, for reading, wherever they are
# mounted: the copy has only what is on the machine's root file system. Called by systemd_lab.py, which has the why.
set -eu

if [ "$1" != in-its-cgroup ]; then
    # Join first: a cgroup namespace begins where its first process is.
    echo 0 >"$1/cgroup.procs"
    shift
    exec unshare --cgroup -- /bin/sh "$0" in-its-cgroup "$@"
fi
work=$2
shift 2

read -r pid _ </proc/self/stat # this /proc is still the machine's
mount --make-rprivate /
mount -t tmpfs -o mode=755 schedd-lab "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$work/root"
cd "$work/root"

# Nothing starts but the journal: no unit is wanted by another, no generator makes more of them, and
# no fragment changes this systemd. (Names are removed, never written through: a link may lead outside.)
rm -rf usr/lib/systemd/system-generators usr/local/lib/systemd etc/systemd/*.conf.d
find etc/systemd/system usr/lib/systemd/system -name '*.wants' -prune -exec rm -rf {} +
rm -rf etc/systemd/system/*.requires var/log/journal etc/machine-id etc/hostname
mkdir -p var/log/journal etc/systemd/system/sysinit.target.wants
ln -s /usr/lib/systemd/system/systemd-journald.service etc/systemd/system/sysinit.target.wants
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
hostname schedd-lab

for each in "$@"; do
    mkdir -p ".$each"
    mount --bind "$each" ".$each"
    mount -o remount,bind,ro ".$each"
done

mkdir -p proc sys dev run mnt
mount -t proc -o nosuid,nodev,noexec proc proc
echo 512 >proc/sys/net/unix/max_dgram_qlen # as systemd sets it when it boots a machine
for each in sys sysrq-trigger; do
    [ -e "proc/$each" ] || continue
    mount --bind "proc/$each" "proc/$each"
    mount -o remount,bind,ro "proc/$each"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs run
mount -t tmpfs -o mode=755,nosuid tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,nosuid,noexec devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in 'null c 1 3' 'zero c 1 5' 'full c 1 7' 'random c 1 8' 'urandom c 1 9' 'tty c 5 0'; do
    # shellcheck disable=SC2086 # four arguments
    mknod -m 666 dev/$device
done

echo "$pid" >"$work.pid.new"
mv "$work.pid.new" "$work.pid"
pivot_root . mnt
# Not even by accident: the clock, modules, the kernel's log and raw devices are the machine's.
exec chroot . /bin/sh -ec '
    umount -l /mnt
    mount --make-rshared / # as systemd has it on a machine: what it mounts for a service is seen in there
    exec env -i container=schedd-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog \
        /lib/systemd/systemd systemd.unit=multi-user.target systemd.show_status=0'
