"""docs/http-api.md says what the routes, the types and the closed lists say, no more and no less."""

import re
from pathlib import Path

import msgspec
import pytest

from schedd.fire import REASONS, Entry
from schedd.web import (
    answers,
    app,
    calendar,
    calendar_types,
    event_types,
    ics,
    insight,
    insight_types,
    live,
    query,
    recent,
    runs,
    schedules,
    script,
    types,
)
from schedd.web.state import OPEN

TEXT = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
TYPES = [
    kind
    for kind in (
        vars(types)
        | vars(insight_types)
        | vars(live)
        | vars(script)
        | vars(event_types)
        | vars(calendar_types)
    ).values()
    if isinstance(kind, type)
    and issubclass(kind, msgspec.Struct)
    and kind not in {types.Request, types.Answer}
]


def rows(after: str) -> list[list[str]]:
    """Return the cells of the first table after this text."""
    lines = TEXT[TEXT.index(after) :].splitlines()[1:]
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


def names(after: str) -> list[str]:
    return [name for row in rows(after) for name in re.findall(r"`([^`]+)`", row[0])]


def test_the_table_of_routes_is_the_route_table() -> None:
    told = [(row[0].split("`")[1], row[1].strip("`"), row[2]) for row in rows("# HTTP API")]
    wanted = [
        (f"{route.method} {route.path}", "open" if route.wants is OPEN else str(route.wants), route.what)
        for route in app.ROUTES
    ]
    assert told == wanted


@pytest.mark.parametrize("route", app.ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_has_a_section(route: app.Route) -> None:
    assert re.search(rf"^(.* · )?`{re.escape(f'{route.method} {route.path}')}`", TEXT, re.MULTILINE)


@pytest.mark.parametrize("kind", [*TYPES, Entry], ids=lambda kind: kind.__name__)
def test_each_type_has_a_table_of_exactly_its_fields(kind: type[msgspec.Struct]) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    if not fields:
        return
    assert sorted(names(f"Fields of `{kind.__name__}`")) == sorted(fields)


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("### History", query.HISTORY_KEYS),
        ("### Preview", schedules.PREVIEW_KEYS),
        ("### Recent", recent.RECENT_KEYS),
        ("### Calendar\n", calendar.CALENDAR_KEYS),
        ("### Calendar feed", ics.ICS_KEYS),
        ("### Why", insight.WHY_KEYS),
        ("### Gaps", insight.GAPS_KEYS),
        ("### Output", runs.OUTPUT_KEYS),
    ],
)
def test_each_query_key_is_described(section: str, keys: tuple[str, ...]) -> None:
    assert sorted(names(section)) == sorted(keys)


def test_every_code_is_described() -> None:
    told = {int(row[0]): row[1].strip("`") for row in rows("only when there are any |") if row[0].isdigit()}
    assert told == answers.CODES


def test_statuses_and_reasons_are_the_closed_lists() -> None:
    told = {row[0].strip("`"): re.findall(r"`([^`]+)`", row[1]) for row in rows("## Statuses and reasons")}
    assert told == {status.value: [reason.value for reason in REASONS[status]] for status in REASONS}


def test_every_link_inside_the_page_has_its_heading() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
