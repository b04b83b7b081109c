"""What a small company runs by the clock, and what went wrong with it lately: the cast of `demo_world`."""

from dataclasses import dataclass

from schedd.fire import Reason, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One script: when, how long it usually takes, and what it says."""

    script: str
    schedule: str
    about: str
    usual_s: float
    says: tuple[str, ...] = ()
    zone: str = "UTC"
    tags: str = ""
    more: tuple[str, ...] = ()
    """Further directives."""
    failing: str = ""
    """What it does at the end of a run that fails now, too."""

    def text(self) -> str:
        """Return the script: it really takes as long, and really says so."""
        lines = ["#!/bin/sh", f"# @schedule {self.schedule}", f"# @timezone {self.zone}"]
        lines += [f"# @description {self.about}", *([f"# @tags {self.tags}"] if self.tags else [])]
        lines += [f"# {each}" for each in self.more] + ["set -eu"]
        pause = self.usual_s / max(1, len(self.says))
        for said in self.says or ("",):
            lines += [*([f"echo '{said}'"] if said else []), f"sleep {pause:.2f}"]
        return "\n".join([*lines, *([self.failing] if self.failing else [])]) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """From so many hours ago to so many, the runs of a script ended like this."""

    script: str
    since_h: float
    until_h: float
    status: Status
    reason: Reason
    error: str
    exit_code: int | None = None
    took_s: float | None = None
    """How long each ran; None for one that never ran."""


JOBS = (
    Job(
        script="db/backup-postgres.sh",
        schedule="30 2 * * *",
        zone="Europe/Berlin",
        about="Dumps the shop database and puts it on the backup host",
        usual_s=840,
        tags="database, nightly",
        more=("@timeout 30m", "@lock database", "@retry 2 every 10m", "@catchup last within 6h"),
    ),
    Job(
        script="db/vacuum.sh",
        schedule="15 4 * * 0",
        zone="Europe/Berlin",
        about="Vacuums and analyses all tables",
        usual_s=1500,
        tags="database",
        more=("@lock database", "@timeout 2h"),
    ),
    Job(
        script="billing/sync-invoices.sh",
        schedule="*/5 * * * *",
        about="Fetches new invoices from the ERP",
        usual_s=7,
        tags="billing",
        more=("@timeout 2m", "@retry 2 every 30s"),
        says=("asking for invoices since the last run", "fetched 38 invoices, 2 of them changed", "stored"),
    ),
    Job(
        script="billing/charge-cards.sh",
        schedule="0 6 * * *",
        zone="America/New_York",
        about="Charges the cards of all subscriptions that are due",
        usual_s=190,
        tags="billing",
        more=("@timeout 20m", "@token not-by-accident"),
    ),
    Job(
        script="shop/push-orders.sh",
        schedule="*/10 * * * *",
        about="Hands new orders to the warehouse",
        usual_s=4,
        tags="shop",
        more=("@timeout 1m", "@deadline 5m"),
        says=("12 orders", "accepted by the warehouse"),
    ),
    Job(
        script="shop/import-prices.sh",
        schedule="20 * * * *",
        about="Takes over the price list of the wholesaler",
        usual_s=75,
        tags="shop",
        more=("@lock database", "@timeout 15m"),
    ),
    Job(
        script="media/make-thumbnails.sh",
        schedule="*/15 * * * *",
        about="Makes the small pictures of what was uploaded",
        usual_s=95,
        tags="media",
        more=("@memory 512M", "@timeout 10m", "@concurrent 2"),
        says=tuple(f"[{n * 5:3} %] upload-{4180 + n}.jpg  1600 x 1200, 3 sizes" for n in range(1, 21)),
    ),
    Job(
        script="search/reindex.sh",
        schedule="5 */2 * * *",
        about="Builds the search index anew and swaps it in",
        usual_s=640,
        tags="search",
        more=("@timeout 25m",),
        says=tuple(f"segment {n}/32: {n * 1250:,} documents" for n in range(1, 33)),
    ),
    Job(
        script="web/rotate-logs.sh",
        schedule="@hourly",
        about="Compresses yesterday's logs and lets go of those older than 30 days",
        usual_s=11,
        tags="web",
        says=("access.log: 412 MB to 31 MB", "error.log: 2 MB to 188 kB"),
    ),
    Job(
        script="web/purge-sessions.sh",
        schedule="*/10 * * * *",
        about="Removes sessions that nobody used for 30 days",
        usual_s=2,
        tags="web, database",
        says=("removed 118 sessions",),
    ),
    Job(
        script="web/renew-certificates.sh",
        schedule="17 3,15 * * *",
        about="Renews the certificates that end within 30 days",
        usual_s=23,
        tags="web, security",
    ),
    Job(
        script="machine/disk-space.sh",
        schedule="* * * * *",
        about="Warns when a disk is 90 % full",
        usual_s=0.2,
        tags="machine",
        says=("/ 61 %, /var 74 %, /srv 48 %",),
    ),
    Job(
        script="reports/daily-figures.sh",
        schedule="15 7 * * 1-5",
        zone="Europe/Berlin",
        about="Mails yesterday's figures to the heads of department",
        usual_s=48,
        tags="reports",
    ),
    Job(
        script="reports/weekly-revenue.sh",
        schedule="0 8 * * 1",
        zone="Europe/Berlin",
        about="The week's revenue, by country and product",
        usual_s=260,
        tags="reports",
    ),
    Job(
        script="mail/send-newsletter.sh",
        schedule="0 10 * * 2,4",
        zone="Europe/Berlin",
        about="Sends the newsletter to those who asked for it",
        usual_s=1100,
        tags="mail",
        more=("@timeout 1h",),
    ),
    Job(
        script="warehouse/export-stock.sh",
        schedule="45 22 * * *",
        zone="Europe/Berlin",
        about="Exports the stock for the tax adviser",
        usual_s=130,
        tags="warehouse, nightly",
    ),
)

TROUBLES = (
    Trouble(
        script="billing/sync-invoices.sh",
        since_h=0.75,
        until_h=0.4,
        status=Status.ERROR,
        reason=Reason.EXIT,
        exit_code=22,
        took_s=31,
        error="curl: (22) The requested URL returned error: 502 https://erp.example.org/v2/invoices",
    ),
    Trouble(
        script="shop/push-orders.sh",
        since_h=0.7,
        until_h=0.5,
        status=Status.ERROR,
        reason=Reason.EXIT,
        exit_code=22,
        took_s=30,
        error="curl: (22) The requested URL returned error: 502 https://erp.example.org/v2/orders",
    ),
    Trouble(
        script="media/make-thumbnails.sh",
        since_h=3.6,
        until_h=3.3,
        status=Status.ERROR,
        reason=Reason.OUT_OF_MEMORY,
        took_s=41,
        error="killed at its limit of 512 MB; the largest was convert with 471 MB",
    ),
    Trouble(
        script="search/reindex.sh",
        since_h=9.5,
        until_h=7.4,
        status=Status.TIMEOUT,
        reason=Reason.TIMEOUT,
        took_s=1500,
        error="still running after 25 min",
    ),
    Trouble(
        script="shop/import-prices.sh",
        since_h=17.2,
        until_h=16.1,
        status=Status.SKIPPED_OVERLOAD,
        reason=Reason.LOCK,
        error="db/backup-postgres.sh had the lock database",
    ),
    Trouble(
        script="web/rotate-logs.sh",
        since_h=50.5,
        until_h=48.2,
        status=Status.ERROR,
        reason=Reason.EXIT,
        exit_code=1,
        took_s=3,
        error="gzip: access.log.gz: No space left on device",
    ),
)
