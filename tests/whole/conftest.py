"""What the whole program's tests share: a daemon as a child, ended whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole import installed, packages
from tests.whole.child import Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A daemon that is not started yet."""
    made = Child(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` makes, in a directory that nobody changes."""
    stage = tmp_path_factory.mktemp("stage")
    installed.make("install", stage)
    return stage


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of this checkout; building it takes half a minute."""
    return packages.build(tmp_path_factory.mktemp("package"))
