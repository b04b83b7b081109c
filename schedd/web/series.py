"""Series of many scripts as lines of text, made anew only where the numbers have changed.

prometheus_client makes every line of every script at each scrape: for 2,000 scripts 46,000 lines and a
quarter of a second of the interpreter, most of it for numbers that are those of the last scrape. Here the
lines of a script stay until it fires again. A line is the same in all the forms that Prometheus reads; a form
decides what stands above lines, and where the instants go at which series were made. Both are taken from the
library.

Rejected: to keep the whole answer (something has changed at each scrape); a registry for each script (the
library would still walk all of them).
"""

import re
from bisect import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import exposition
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Encode = Callable[[Collector], bytes]
Values = tuple[str, ...]

CREATED = "_created"
BOUND = "le="
END = "# EOF\n"
"""The last line of OpenMetrics; the older form has none."""

_number: Callable[[float], str] = floatToGoString
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

_STRANGE = re.compile(r"escaping=(?:dots|values)")

_Kind = TypeVar("_Kind", bound=MetricWrapperBase)


@dataclass(frozen=True, slots=True)
class _Lines:
    """What there is to say of one child: its numbers, and when it was made."""

    numbers: str
    created: str


def form(accept: str) -> tuple[Encode, str]:
    """Return how the form that an Accept header asks for is written, and its content type.

    Of the ways to write names that Prometheus forbade once, those that change ours too are not to be had: the
    library writes some names so, and others not.
    """
    return exposition.choose_encoder(_STRANGE.sub("escaping=underscores", accept))


class Family(Generic[_Kind]):
    """The children of a metric that is in no registry, and their lines.

    One thread changes it; another may ask for `text` meanwhile, and finds each child as it was or as it is.
    """

    def __init__(self, metric: _Kind, labels: Values) -> None:
        self._metric = metric
        self._labels = labels
        self._children: dict[Values, _Kind] = {}
        self._changed: set[Values] = set()
        self._lines: dict[Values, _Lines] = {}

    def child(self, *values: str) -> _Kind:
        """Return the child with these label values; tell when it has `changed`."""
        if values not in self._children:
            self._children[values] = self._metric.labels(*values)
        return self._children[values]

    def changed(self, *values: str) -> None:
        """The numbers of this child are others now."""
        self._changed.add(values)

    def remove(self, *values: str) -> None:
        """Forget a child, if there is one."""
        if self._children.pop(values, None) is not None:
            self._metric.remove(*values)
        self._lines.pop(values, None)

    def text(self, encode: Encode) -> str:
        """Return all lines, in the form that `encode` writes."""
        self._renew()
        (described,) = self._metric.describe()
        head, is_open = _head(described, encode)
        children = [lines for values in list(self._children) if (lines := self._lines.get(values))]
        if is_open:
            return head + "".join(lines.numbers + lines.created for lines in children)
        text = head + "".join(lines.numbers for lines in children)
        if children:
            made = GaugeMetricFamily(described.name + CREATED, described.documentation)
            text += _head(made, encode)[0] + "".join(lines.created for lines in children)
        return text

    def _renew(self) -> None:
        """Make the lines of what has changed. What changes meanwhile is marked again, for the next time."""
        for values in list(self._changed):
            self._changed.discard(values)
            child = self._children.get(values)
            if child is not None:
                self._lines[values] = _lines(child, _pairs(self._labels, values))
            if values not in self._children:
                self._lines.pop(values, None)


def gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]], encode: Encode) -> str:
    """Return a gauge with one label, in the form that `encode` writes."""
    head, _ = _head(GaugeMetricFamily(name, text), encode)
    lines = (
        f"{name}{{{','.join(_pairs((label,), (labelled,)))}}} {_number(value)}\n"
        for labelled, value in values
    )
    return head + "".join(lines)


def _head(metric: Metric, encode: Encode) -> tuple[str, bool]:
    """Return what stands above the lines of a metric, and whether the form is OpenMetrics."""
    head = encode(_Alone(metric)).decode()
    return head.removesuffix(END), head.endswith(END)


class _Alone(Collector):
    """One metric without a sample, as a collection."""

    def __init__(self, metric: Metric) -> None:
        self._metric = Metric(metric.name, metric.documentation, metric.type)

    def collect(self) -> Iterable[Metric]:
        yield self._metric


def _lines(child: MetricWrapperBase, pairs: list[str]) -> _Lines:
    """Return the lines of a child, whose own samples have no label but the bounds of buckets."""
    numbers, created = [], ""
    together = ",".join(pairs)
    at = bisect(pairs, BOUND)
    before, behind = "".join(f"{pair}," for pair in pairs[:at]), "".join(f",{pair}" for pair in pairs[at:])
    (metric,) = child.collect()
    for sample in metric.samples:
        labels = f'{before}{BOUND}"{sample.labels["le"]}"{behind}' if sample.labels else together
        line = f"{sample.name}{{{labels}}} {_number(sample.value)}\n"
        if sample.name.endswith(CREATED):
            created = line
        else:
            numbers.append(line)
    return _Lines("".join(numbers), created)


def _pairs(labels: Values, values: Values) -> list[str]:
    """Return labels with their values as they stand in a line, in the order of their names."""
    pairs = sorted(zip(labels, values, strict=True))
    return [f'{label}="{value.translate(_ESCAPES)}"' for label, value in pairs]
