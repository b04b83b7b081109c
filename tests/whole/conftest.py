"""What the whole program's tests share: a daemon as a child, ended whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.child import Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A daemon that is not started yet."""
    made = Child(tmp_path)
    yield made
    made.close()
