"""Lines that are kept from scrape to scrape are those that prometheus_client would write anew."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Counter, Histogram, exposition
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from schedd.web import series
from schedd.web.series import END, Family

LABELS = ("script", "kind")
FORMS = (
    "",
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text;version=0.0.1",
    "application/openmetrics-text;version=1.0.0",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text;version=1.0.0;escaping=values",
    "text/plain;version=1.0.0;escaping=dots",
)
NAMES = st.sampled_from(["a.sh", "b/c d.py", 'quo"te', "back\\slash", "line\nfeed", "ä", ""])
NUMBERS = st.floats(0, 1e9) | st.sampled_from([0.0, 0.5, 1.0, 12.0, 1e6, 1234567.5, 1e-9, 123456789012.0])
COUNT, REMOVE, SCRAPE = "count", "remove", "scrape"
STEPS = st.lists(
    st.tuples(st.sampled_from([COUNT, COUNT, COUNT, REMOVE, SCRAPE]), st.tuples(NAMES, NAMES), NUMBERS),
    max_size=40,
)


@given(steps=STEPS, form=st.sampled_from(FORMS))
def test_whatever_happened_between_scrapes_counters_read_as_the_library_writes_them(
    steps: list[tuple[str, tuple[str, str], float]], form: str
) -> None:
    metric = Counter("schedd_x", 'What "is"\\\ncounted.', LABELS, registry=None)
    family = Family(metric, LABELS)
    encode, _ = series.form(form)
    for what, labels, number in [*steps, (SCRAPE, ("", ""), 0)]:
        if what == COUNT:
            family.child(*labels).inc(number)
            family.changed(*labels)
        elif what == REMOVE:
            family.remove(*labels)
        else:
            assert family.text(encode) == encode(metric).decode().removesuffix(END)


@given(steps=STEPS, form=st.sampled_from(FORMS))
def test_whatever_happened_between_scrapes_histograms_read_as_the_library_writes_them(
    steps: list[tuple[str, tuple[str, str], float]], form: str
) -> None:
    metric = Histogram("schedd_x_seconds", "How long.", LABELS, registry=None, buckets=(0.01, 1, 43_200))
    family = Family(metric, LABELS)
    encode, _ = series.form(form)
    for what, labels, number in [*steps, (SCRAPE, ("", ""), 0)]:
        if what == COUNT:
            family.child(*labels).observe(number)
            family.changed(*labels)
        elif what == REMOVE:
            family.remove(*labels)
        else:
            assert family.text(encode) == encode(metric).decode().removesuffix(END)


class _One(Collector):
    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def collect(self) -> list[Metric]:
        return [self.metric]


@given(values=st.dictionaries(NAMES, NUMBERS | st.floats()), form=st.sampled_from(FORMS))
def test_a_gauge_reads_as_the_library_writes_it(values: dict[str, float], form: str) -> None:
    encode, _ = series.form(form)
    metric = GaugeMetricFamily("schedd_next", "When.", labels=["script"])
    for script, value in values.items():
        metric.add_metric([script], value)
    told = series.gauge("schedd_next", "When.", "script", values.items(), encode)
    assert told == encode(_One(metric)).decode().removesuffix(END)


def test_the_lines_of_what_did_not_change_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Watched(Counter):
        def collect(self) -> list[Metric]:
            made.append("".join(self._labelvalues))
            return list(super().collect())

    family = Family(Watched("schedd_x", "Counted.", ["script"], registry=None), ("script",))
    for name in ("a", "b"):
        family.child(name).inc()
        family.changed(name)
    family.text(exposition.generate_latest)
    made.clear()
    family.child("b").inc()
    family.changed("b")
    text = family.text(exposition.generate_latest)
    assert made == ["b"]
    assert 'schedd_x_total{script="a"} 1.0\nschedd_x_total{script="b"} 2.0\n' in text


def test_scrapes_while_scripts_come_and_go_lose_no_change_and_leave_no_stale_line() -> None:
    family = Family(Counter("schedd_x", "Counted.", ["script"], registry=None), ("script",))
    over = threading.Event()
    texts: list[str] = []

    def scrape() -> None:
        while not over.is_set():
            texts.append(family.text(exposition.generate_latest))

    scraper = threading.Thread(target=scrape)
    scraper.start()
    for number in range(3_000):
        family.child(f"{number % 40}").inc()
        family.changed(f"{number % 40}")
        if number % 7 == 0:
            family.remove(f"{(number * 3) % 40}")
    for number in range(20):
        family.remove(f"{number}")
    over.set()
    scraper.join()
    last = family.text(exposition.generate_latest)
    told = {
        sample.labels["script"]: sample.value
        for metric in text_string_to_metric_families(last)
        for sample in metric.samples
        if sample.name == "schedd_x_total"
    }
    children = {str(number) for number in range(20, 40)}
    assert set(told) <= children
    for name, value in told.items():
        (metric,) = family.child(name).collect()
        assert value == metric.samples[0].value
    assert all(list(text_string_to_metric_families(text)) for text in texts)
