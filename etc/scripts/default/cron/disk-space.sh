#!/bin/sh
# @schedule * * * * *
# @timeout 10s
# @description Says how full the disk below the state directory is, and warns from 90 % on
# @tags example, machine
# @env WARN_PERCENT=90
#
# A shell script hands over its result in the file that $SCHEDD_RESULT names.
set -eu

df -Pk "$SCHEDD_STATE_DIR" | tail -n 1 | {
    read -r _ total used free percent _
    percent=${percent%\%}
    echo "$percent % used, $((free / 1024)) MiB free"
    [ "$percent" -lt "$WARN_PERCENT" ] || echo "the disk is nearly full" >&2
    printf '{"totalMiB":%d,"usedMiB":%d,"freeMiB":%d,"percent":%d}' \
        $((total / 1024)) $((used / 1024)) $((free / 1024)) "$percent" >"$SCHEDD_RESULT"
}
