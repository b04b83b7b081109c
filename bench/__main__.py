"""Measures everything and writes the table: `python -m bench`."""

import os
import platform
from datetime import UTC, datetime

from bench import burst, ledger, results, starts, wheel
from bench.row import Row


def main() -> None:
    """Run all measurements, show them as they come, and keep them."""
    found: list[Row] = []
    for part in (wheel, ledger, starts, burst):
        for row in part.rows():
            print(f"{row.part:8}  {row.what:60}  {row.figure}")
            found.append(row)
    results.keep(table(found))


def table(found: list[Row]) -> str:
    """Write the results with what they depend on."""
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    lines = [
        "# Results",
        "",
        f"Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "Orders of magnitude, not promises.",
        "",
        "| part | what | figure |",
        "|---|---|---|",
    ]
    lines += [f"| {row.part} | {row.what} | {row.figure} |" for row in found]
    return "\n".join(lines) + "\n"


main()
