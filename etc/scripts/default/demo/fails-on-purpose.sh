#!/bin/sh
# @schedule */5 * * * *
# @timeout 5s
# @description Exits with 7 each time, so that you see what a failure looks like; delete it when you have
# @tags example, demo
echo "about to fail, on purpose"
echo "fails-on-purpose: there is nothing wrong with your machine" >&2
exit 7
