"""The host's pressure is the worst of three numbers that the kernel keeps in files."""

import os
from pathlib import Path

import pytest

from schedd.host.pressure import Pressure

LINES = (
    "some avg10={} avg60=99.00 avg300=99.00 total=804288747\n"
    "full avg10=98.00 avg60=98.00 avg300=98.00 total=26735387\n"
)


def shown(directory: Path, **averages: str) -> Pressure:
    for resource, average in averages.items():
        (directory / resource).write_text(LINES.format(average))
    return Pressure(str(directory))


@pytest.mark.parametrize(
    "averages",
    [
        {"cpu": "42.50", "io": "0.00", "memory": "1.25"},
        {"cpu": "7.00", "io": "42.50", "memory": "9.99"},
        {"cpu": "7.00", "io": "0.00", "memory": "42.50"},
    ],
)
def test_the_worst_resource_counts(tmp_path: Path, averages: dict[str, str]) -> None:
    assert shown(tmp_path, **averages).read() == 42.5


def test_a_host_at_its_limit_is_at_100(tmp_path: Path) -> None:
    assert shown(tmp_path, cpu="100.00").read() == 100.0


def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    pressure = shown(tmp_path, io="80.00")
    assert pressure.read() == 80.0
    shown(tmp_path, io="3.00")
    assert pressure.read() == 3.0


def test_what_the_kernel_does_not_measure_is_no_pressure(tmp_path: Path) -> None:
    assert Pressure(str(tmp_path)).read() == 0.0
    assert shown(tmp_path, memory="12.00").read() == 12.0


@pytest.mark.parametrize("content", ["", "some avg60=3.00", "some avg10=high avg60=1", "full avg10=50.00"])
def test_a_file_that_says_something_else_is_no_pressure(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpu").write_text(content)
    assert Pressure(str(tmp_path)).read() == 0.0


def test_a_file_that_cannot_be_read_is_no_pressure(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    assert Pressure(str(tmp_path)).read() == 0.0


def test_this_host_has_a_pressure_and_keeps_no_descriptor_for_it() -> None:
    before = set(os.listdir("/proc/self/fd"))
    assert 0.0 <= Pressure().read() <= 100.0
    assert set(os.listdir("/proc/self/fd")) == before
