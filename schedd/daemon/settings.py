"""The settings that change while the daemon lives: read again at each reload, taken over where possible."""

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Collection
from dataclasses import replace

from schedd import config as configs
from schedd.config import Config
from schedd.errors import ConfigError
from schedd.host import identity
from schedd.host.clock import Clock
from schedd.runner.command import Tools
from schedd.runner.preflight import Preflight
from schedd.schedule import Keepers, Schedule
from schedd.scripts import preflight as preflights
from schedd.scripts.accounts import Accounts
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import Problem
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from schedd.timetable import zone
from schedd.timetable.calendar import Calendar
from schedd.timetable.observance import Observance

log = logging.getLogger("schedd")


class Settings:
    """Holds the configuration in force."""

    def __init__(self, config: Config, load: Callable[[], Config]) -> None:
        self.config = config
        self._load = load
        self._appliers: tuple[Callable[[Config], None], ...] = ()

    def tell(self, *appliers: Callable[[Config], None]) -> None:
        """Name more of those who take over what may change."""
        self._appliers += appliers

    async def refresh(self) -> tuple[str, ...]:
        """Read the configuration again; return what a person should know about it, in sentences."""
        try:
            new = await asyncio.to_thread(self._load)
        except ConfigError as error:
            log.warning("the configuration stays as it was: %s", error)
            return (f"the configuration stays as it was: {error}",)
        waiting = [setting for setting in configs.changed(self.config, new) if not setting.live]
        for apply in self._appliers:
            apply(new)
        # What waits for a restart keeps its value until then, and is named again at the next reload.
        old = {setting.field: getattr(self.config, setting.field) for setting in waiting}
        self.config = replace(new, **old)
        if not waiting:
            return ()
        sentence = (
            f"a restart is needed for the new value of {', '.join(setting.name for setting in waiting)}"
        )
        log.warning("%s", sentence)
        return (sentence,)


def defaults_of(config: Config, keepers: Keepers) -> Defaults:
    """Return what holds where a header is silent, and who keeps the limits that it asks for."""
    accounts = replace(_own_account(), allowed_users=config.allowed_users)
    return Defaults(
        timezone=config.timezone,
        timeout_ms=config.timeout_ms,
        accounts=accounts,
        calendars_dir=config.calendars_dir,
        keepers=keepers,
    )


@functools.cache
def _own_account() -> Accounts:
    """Return who this process is: asked once, since a directory of users may be slow to answer."""
    return Accounts(
        own_user=identity.user_name(),
        own_groups=identity.group_names(),
        may_switch=identity.may_switch_user(),
    )


def tools_of(config: Config) -> Tools:
    """Return where interpreters and programs are found."""
    return Tools(config.path, config.python, config.node)


def preflight_of(config: Config, clock: Clock) -> Preflight:
    """Return who can tell whether scripts would run on this host."""
    return Preflight(tools_of(config), scripts_dir=config.scripts_dir, monotonic=clock.monotonic)


class LiveScanner:
    """The scanner of the scripts directory, by the defaults, tools and zone data that hold now."""

    def __init__(self, config: Config, preflight: Preflight, keepers: Keepers = Keepers()) -> None:  # noqa: B008 - a frozen value
        self._preflight = preflight
        self._scripts_dir = config.scripts_dir
        self._zone_data = zone.versions()
        self._keepers = keepers
        self._defaults = defaults_of(config, keepers)
        self._trusted_uids = frozenset({0, os.geteuid()})
        self._scanner = self._new()
        self._directories: tuple[str, ...] = ()

    def apply(self, config: Config) -> None:
        """Go by other defaults and tools, and by the zone data as it is now on the disk."""
        self._preflight.adopt(tools_of(config))
        zone_data = zone.reload()
        defaults = defaults_of(config, self._keepers)
        if (zone_data, defaults) != (self._zone_data, self._defaults):
            self._zone_data, self._defaults = zone_data, defaults
            self._scanner = self._new()

    def scan(self) -> Scan:
        """Read the whole directory, and have what is new in it checked; blocks."""
        found = self._scanner.scan()
        self._directories = found.directories
        return preflights.examined(found, self._preflight)

    def look(self, named: Collection[str]) -> dict[str, Schedule | None] | None:
        """Read only these files (absolute paths), if that will do, and have what is new checked; blocks."""
        root = self._scanner.scripts_dir + "/"
        if not all(path.startswith(root) for path in named):
            return None
        found = self._scanner.look([path.removeprefix(root) for path in named])
        there = [schedule for schedule in (found or {}).values() if schedule is not None]
        if self._preflight.examine(there, every=False):
            return None
        return found

    def directories(self) -> tuple[str, ...]:
        """Return every directory that the last scan has read, and that of the calendars."""
        calendars_dir = self._defaults.calendars_dir
        there = (calendars_dir,) if os.path.isdir(calendars_dir) else ()
        return (*self._directories, *there)

    def observance(self, told: str) -> Observance | None:
        """Return what `holidays.ics next` meant that was written down so; blocks. As the last scan saw it."""
        return self._scanner.shelf.observance(told)

    def calendar(self, name: str) -> Calendar:
        """Read a calendar, as its file is at this moment; blocks. Raises ValueError with a sentence."""
        return self._new_shelf().find(name)

    def trust(self, script: str, *, header: str, sha256: str) -> None:
        """Take a script with this content for one that would run; say so before the first scan."""
        self._preflight.trust(script, sha256)
        self._scanner.remember(script, header=header, sha256=sha256)

    def recall(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        """Return a schedule as it was registered before the daemon stopped."""
        return self._scanner.recall(script, header=header, sha256=sha256)

    def read(self, script: str) -> Schedule | tuple[Problem, ...] | None:
        """Read one script and have it checked; blocks."""
        found = self._scanner.read(script)
        if isinstance(found, Schedule):
            return preflights.examined_alone(found, self._preflight)
        return found

    def _new(self) -> Scanner:
        return Scanner(self._scripts_dir, defaults=self._defaults, trusted_uids=self._trusted_uids)

    def _new_shelf(self) -> Shelf:
        return Shelf(self._defaults.calendars_dir, trusted_uids=self._trusted_uids)
