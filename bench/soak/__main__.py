"""Runs one soak from the command line: `python -m bench.soak --seconds 900 --keep-results`."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from bench import results
from bench.soak import report
from bench.soak.campaign import Campaign

SECTION = "Soak"


def main() -> int:
    """Return 1 if something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--rate", type=int, default=50, help="fires a second (default 50)")
    parser.add_argument("--keep-results", action="store_true", help="write the table into bench/RESULTS.md")
    wanted = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="schedd-soak-"))
    kept = True
    try:
        print(f"{wanted.seconds:.0f} s, {wanted.rate} fires a second, in {base}", flush=True)
        print(report.heading(), flush=True)
        campaign = Campaign(base, seconds=wanted.seconds, rate=wanted.rate, tell=tell)
        found = campaign.run()
        print("", *found.summary(), *found.complaints, sep="\n")
        kept = bool(found.complaints)
    finally:
        if kept:
            print(f"\neverything is in {base}")
        else:
            shutil.rmtree(base)
    if wanted.keep_results:
        results.keep(found.section(), section=SECTION)
    return 1 if found.complaints else 0


def tell(reading: report.Reading) -> None:
    """Show a row as it comes."""
    print(report.line(reading), flush=True)


if __name__ == "__main__":
    sys.exit(main())
