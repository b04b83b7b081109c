#!/bin/sh
# @schedule 30 4 * * 1
# @timezone Europe/Berlin
# @timeout 5s
# @catchup last within 2d
# @token not-by-accident
# @description Guarded by @token: to start it by hand takes --force; its schedule starts it all the same
# @tags example, demo
echo "kind: $SCHEDD_KIND"
printf '"done"' >"$SCHEDD_RESULT"
