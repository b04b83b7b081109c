#!/usr/bin/env python3
# @schedule */2 * * * *
# @timeout 30s
# @overlap skip
# @description Takes 20 seconds, so that there is a run to watch, to follow and to stop
# @tags example, demo
"""Start it by hand while it runs, and see the second fire skipped; stop it, and see that recorded too."""

import time

SECONDS = 20


def main():
    """Count the seconds, and say so as they pass."""
    for second in range(1, SECONDS + 1):
        time.sleep(1)
        print(f"{second} of {SECONDS}", flush=True)
    return {"slept": SECONDS}
