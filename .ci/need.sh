#!/bin/sh
# need.sh COMMAND PACKAGE [COMMAND PACKAGE ...]: make sure that these commands are here.
#
# What is missing is installed by root, and named with the command that installs it to anybody else.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
while [ $# -ge 2 ]; do
    command -v "$1" >/dev/null || missing="$missing $2"
    shift 2
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "schedd: not installed:$missing. Run: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # several packages
apt-get install --yes --quiet --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get update --quiet >/dev/null && apt-get install --yes --quiet --no-install-recommends $missing >/dev/null; }
