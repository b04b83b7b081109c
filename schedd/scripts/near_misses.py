"""Names that are nearly those of directives: what was probably meant by one that is none.

Headers hold the words of other tools too (JSDoc, TypeDoc, licence tags), so a suggestion has to be likely:
one slip of the finger, or a word that other schedulers have for the same thing.
"""

import difflib
from collections.abc import Collection

# Words that other schedulers have for it, and that no spelling of ours is near.
_ALSO_MEANT = {
    "cron": "schedule",
    "every": "schedule @every",
    "tz": "timezone",
    "retries": "retry",
    "max-retries": "retry",
    "misfire": "catchup",
    "random-delay": "jitter",
    "flock": "lock",
    "mutex": "lock",
    "run-as": "user",
    "runas": "user",
    "cpus": "cpu",
    "cpu-quota": "cpu",
    "memory-max": "memory",
    "tasks-max": "pids",
    "nofile": "files",
} | {
    name: f"schedule @{name}"
    for name in ("hourly", "daily", "midnight", "weekly", "monthly", "yearly", "reboot")
}
# Tags of JSDoc and its kin that look like ours: "did you mean @files?" below "@file" would be noise.
_FOREIGN = frozenset({"file", "fires", "module", "jsxruntime"})
_NEAR = 0.8  # difflib's ratio: one letter lost, doubled, swapped or mistyped, in names from four letters on
_LONGEST_NAME = 24


def suggestion(name: str, known: Collection[str]) -> str | None:
    """Return the directive (one of `known`) that was probably meant; None for the names of other tools."""
    plain = name.rstrip(":=,;.").lower()
    if plain in known:
        return plain
    if plain in _ALSO_MEANT:
        return _ALSO_MEANT[plain]
    if plain in _FOREIGN or len(plain) > _LONGEST_NAME:
        return None
    close = difflib.get_close_matches(plain, known, n=1, cutoff=_NEAR)
    return close[0] if close else None
