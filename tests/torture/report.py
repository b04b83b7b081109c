"""What a campaign did and what it proved, on one screen."""

from collections import Counter
from dataclasses import dataclass, field

SHOWN = 40


@dataclass
class Report:
    """What a campaign did, and what it proved."""

    seed: int
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    absent: set[str] = field(default_factory=set)
    lines: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_end: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    slots: int = 0
    lost: int = 0
    doubled: int = 0
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = {
            "seed": self.seed,
            "seconds": f"{self.seconds:.0f}",
            "done": _listed(self.done),
            "not there": ", ".join(sorted(self.absent)) or "-",
            "lines": f"{self.lines} ({_listed(self.by_kind)})",
            "ends": _listed(self.by_end),
            "runs": self.runs,
            "slots": f"{self.slots} checked, {self.lost} lost, {self.doubled} doubled",
            "complaints": len(self.complaints),
        }
        text = "\n".join(f"{name:<11}{value}" for name, value in rows.items())
        return "\n".join((text, *(f"  {complaint}" for complaint in self.complaints[:SHOWN])))


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
