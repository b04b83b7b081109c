"""Runs one campaign from the command line; what is printed is enough to run it again."""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.torture.campaign import Campaign


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, help="what to do; the same seed does the same again")
    parser.add_argument("--keep", action="store_true", help="keep the directory though all is well")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if wanted.seed is None else wanted.seed
    base = Path(tempfile.mkdtemp(prefix="schedd-torture-"))
    print(f"seed {seed}, {wanted.seconds:.0f} s, in {base}", flush=True)
    kept = True
    try:
        report = Campaign(base, seed=seed, seconds=wanted.seconds).run()
        print(report)
        kept = wanted.keep or bool(report.complaints)
    finally:
        if kept:
            print(f"\nseed {seed}; everything is in {base}")
        else:
            shutil.rmtree(base)
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
