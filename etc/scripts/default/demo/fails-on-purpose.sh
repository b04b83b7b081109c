#!/bin/sh
# @schedule */5 * * * *
# @timeout 5s
# @retry 2 every 30s
# @description Exits with 7 each time, so that you see a failure and its two retries; delete it when you have
# @tags example, demo
echo "about to fail, on purpose (attempt $SCHEDD_ATTEMPT)"
echo "fails-on-purpose: there is nothing wrong with your machine" >&2
exit 7
