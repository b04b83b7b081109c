"""Every async test of this floor runs in virtual time."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tell pytest-asyncio to make virtual loops here."""
    return {"virtual": VirtualLoop}


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A state directory without a disk: a day has thousands of fdatasyncs, and the disk is not under test."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)
