"""What the whole program's tests share: a daemon as a child, ended whatever happens."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.whole import browser, installed, packages
from tests.whole.browser import Dashboard
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, for as long as a module lasts."""
    with browser.chromium() as started:
        yield started


@pytest.fixture
def dashboard(child: Child, chromium: Browser) -> Iterator[Callable[..., Dashboard]]:
    """Start a daemon with these scripts (name: text), and look at it: dashboard({...}, theme="dark")."""
    made: list[Dashboard] = []

    def start(texts: Mapping[str, str], **profile: object) -> Dashboard:
        browser.scripts(child, texts)
        made.append(Dashboard(child.start(), chromium, **profile))
        return made[-1]

    yield start
    for each in made:
        each.close()
