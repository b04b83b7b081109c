"""Every async test of this floor runs in virtual time."""

import asyncio
from collections.abc import Callable

from tests.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tell pytest-asyncio to make virtual loops here."""
    return {"virtual": VirtualLoop}
