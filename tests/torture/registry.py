"""What was registered when, as far as somebody outside can know: from what was asked, and what was answered.

A reload or a start that was asked for and not yet answered may have happened or not; until the next answer
all that may hold stands side by side. Of a pause only the certain part counts.
"""

from collections.abc import Iterable

from tests.torture.sources import Source
from tests.whole.checker import FOREVER_MS, Ban, Script, Standing, Stretch

Standings = tuple[Standing | None, ...]
NOTHING: Standings = (None,)


class Registry:
    """The files as they are, and for each path the times at which its standing changed."""

    def __init__(self) -> None:
        self.files: dict[str, Source] = {}
        self._marks: dict[str, list[tuple[int, Standings]]] = {}
        self._tries: dict[str, int] = {}
        self._jitter: dict[str, int] = {}
        self._bans: list[Ban] = []
        self._paused: dict[str | None, Ban] = {}

    # Files.

    def wrote(self, source: Source) -> None:
        self.files[source.path] = source
        self._marks.setdefault(source.path, [])
        self._tries[source.path] = max(source.tries, self._tries.get(source.path, 1))
        self._jitter[source.path] = max(source.rhythm.jitter_s, self._jitter.get(source.path, 1))

    def deleted(self, path: str) -> None:
        del self.files[path]

    # Registrations.

    def standings(self, path: str) -> Standings:
        marks = self._marks[path]
        return marks[-1][1] if marks else NOTHING

    def unregistered(self, path: str) -> bool:
        """It is certain that a trigger would register this script first."""
        return path in self.files and not self.files[path].broken and self.standings(path) == NOTHING

    def asked(self, at_ms: int) -> None:
        """The directory is to be read again, by a reload or by a start."""
        for path in self._marks:
            self._may_become(path, self._found(path), at_ms)

    def answered(self, at_ms: int) -> None:
        """It has been read."""
        for path in self._marks:
            self._becomes(path, self._found(path), at_ms)

    def trigger_asked(self, path: str, at_ms: int) -> None:
        self._may_become(path, self._found(path), at_ms)

    def trigger_answered(self, path: str, at_ms: int) -> None:
        self._becomes(path, self._found(path), at_ms)

    def stopped(self, from_ms: int, until_ms: int) -> None:
        """It was told to stop at the one time, and was gone at the other, for good."""
        for path in self._marks:
            self._may_become(path, NOTHING, from_ms)
            self._becomes(path, NOTHING, until_ms)
        for script in list(self._paused):
            self.resumed(script, from_ms)

    def _found(self, path: str) -> Standings:
        """Return how a script stands once its file, as it is now, has been read; if broken, as it stood."""
        source = self.files.get(path)
        if source is None:
            return NOTHING
        if source.broken:
            return self.standings(path)
        return (Standing(source.rhythm, source.enabled, jittered=source.rhythm.jitter_s > 1),)

    def _may_become(self, path: str, after: Standings, at_ms: int) -> None:
        before = self.standings(path)
        both = (*before, *(standing for standing in after if standing not in before))
        if both != before:
            self._marks[path].append((at_ms, both))
            self.resumed(path, at_ms)  # whether a pause outlives its script is not what is asked here

    def _becomes(self, path: str, after: Standings, at_ms: int) -> None:
        if self.standings(path) != after:
            self._marks[path].append((at_ms, after))

    # Pauses.

    def paused(self, script: str | None, at_ms: int, until_ms: int | None) -> None:
        """A pause is in force from this moment on; it ends just before `until_ms`."""
        until_ms = FOREVER_MS if until_ms is None else until_ms - 1
        self._paused[script] = Ban(script, at_ms, until_ms)

    def resumed(self, script: str | None, at_ms: int) -> None:
        """From this moment on a pause may be over."""
        ban = self._paused.pop(script, None)
        if ban is not None:
            self._bans.append(Ban(script, ban.after_ms, min(ban.until_ms, at_ms)))

    # What is certain in the end.

    def scripts(self) -> dict[str, Script]:
        return {
            path: Script(list(_stretches(marks)), tries=self._tries[path], jitter_s=self._jitter[path])
            for path, marks in self._marks.items()
        }

    def bans(self) -> list[Ban]:
        return self._bans


def _stretches(marks: list[tuple[int, Standings]]) -> Iterable[Stretch]:
    """Turn the moments of change into what held between them."""
    after_ms, standings = 0, NOTHING
    for at_ms, changed in marks:
        if at_ms > after_ms:
            yield Stretch(after_ms, at_ms, standings)
        after_ms, standings = at_ms, changed
    yield Stretch(after_ms, FOREVER_MS, standings)
