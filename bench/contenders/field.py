"""All contenders, in the order of the tables."""

from bench.contenders.apscheduler import APScheduler
from bench.contenders.contender import AbsentError, Contender
from bench.contenders.croner import Croner
from bench.contenders.crons import Bcron, Cron
from bench.contenders.cronstable import Cronstable
from bench.contenders.timers import Timers

UNREACHABLE = {
    "supercronic, dkron, jobber, ofelia": "in none of Debian, PyPI and npm",
    "yacron": "cronstable goes on where it ended",
}
"""Whom one would look for here."""


def peers() -> list[Contender]:
    """Return everybody but schedd."""
    return [
        Cron(),
        Bcron(),
        Timers(),
        APScheduler(),
        Cronstable(durable=False),
        Cronstable(durable=True),
        Croner(),
    ]


def present(contenders: list[Contender]) -> tuple[dict[str, str], dict[str, str]]:
    """Get them; return the versions of those that are there, and why the others are not."""
    there: dict[str, str] = {}
    absent = dict(UNREACHABLE)
    for each in contenders:
        try:
            there[each.name] = each.install()
        except AbsentError as error:
            absent[each.name] = str(error)
    return there, absent
