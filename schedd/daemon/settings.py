"""The settings that change while the daemon lives: read again at each reload, taken over where possible."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace

from schedd import config as configs
from schedd.config import Config
from schedd.errors import ConfigError
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import Problem
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from schedd.timetable import zone

log = logging.getLogger("schedd")


class Settings:
    """Holds the configuration in force."""

    def __init__(self, config: Config, load: Callable[[], Config]) -> None:
        self.config = config
        self._load = load
        self._appliers: tuple[Callable[[Config], None], ...] = ()

    def tell(self, *appliers: Callable[[Config], None]) -> None:
        """Name those who take over what may change."""
        self._appliers = appliers

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


def defaults_of(config: Config) -> Defaults:
    """Return what holds where a header is silent."""
    return Defaults(timezone=config.timezone, timeout_ms=config.timeout_ms)


class LiveScanner:
    """The scanner of the scripts directory, by the defaults and the zone data that hold now."""

    def __init__(self, config: Config) -> None:
        self._scripts_dir = config.scripts_dir
        self._zone_data = zone.versions()
        self._defaults = defaults_of(config)
        self._scanner = self._new()

    def apply(self, config: Config) -> None:
        """Go by other defaults, and by the zone data as it is now on the disk."""
        zone_data = zone.reload()
        defaults = defaults_of(config)
        if (zone_data, defaults) != (self._zone_data, self._defaults):
            self._zone_data, self._defaults = zone_data, defaults
            self._scanner = self._new()

    def scan(self) -> Scan:
        """Read the whole directory; blocks."""
        return self._scanner.scan()

    def recall(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        """Return a schedule as it was registered before the daemon stopped."""
        return self._scanner.recall(script, header=header, sha256=sha256)

    def read(self, script: str) -> Schedule | tuple[Problem, ...] | None:
        """Read one script; blocks."""
        return self._scanner.read(script)

    def _new(self) -> Scanner:
        return Scanner(self._scripts_dir, defaults=self._defaults, trusted_uids={0, os.geteuid()})
