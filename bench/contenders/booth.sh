#!/bin/sh
# Becomes a program on a throw-away copy of this machine's files, with some more laid over them.
#
#     unshare --mount --propagation private sh booth.sh WORKDIR TREE KEPT COMMAND [ARGUMENT ...]
#
# What the program finds is TREE over the machine's root; what it writes is in memory, and gone when it ends. Only the
# directory KEPT is the machine's own. The process stays the same one throughout.
set -eu
work=$1 tree=$2 kept=$3
shift 3

mount -t tmpfs -o mode=755 booth "$work"
mkdir "$work/upper" "$work/work" "$work/root"
cp -a "$tree" "$work/tree" # what is below the machine's root cannot be laid over it
mount -t overlay -o "lowerdir=$work/tree:/,upperdir=$work/upper,workdir=$work/work" overlay "$work/root"
for each in /proc /dev /sys "$kept"; do
    mkdir -p "$work/root$each"
    mount --rbind "$each" "$work/root$each"
done
exec chroot "$work/root" "$@"
