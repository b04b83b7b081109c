"""The seed says what a campaign does."""

from itertools import islice

from tests.torture.plan import Kill, Plan, Write

MANY = 2_000


def test_the_same_seed_does_the_same_again() -> None:
    one, other = Plan(7), Plan(7)
    assert one.first == other.first
    assert list(islice(one.actions(), MANY)) == list(islice(other.actions(), MANY))


def test_another_seed_does_something_else() -> None:
    assert list(islice(Plan(7).actions(), 50)) != list(islice(Plan(8).actions(), 50))


def test_everything_there_is_to_do_is_done_sooner_or_later() -> None:
    actions = list(islice(Plan(7).actions(), MANY))
    assert len({type(action) for action in actions}) == 14
    kills = [action for action in actions if isinstance(action, Kill)]
    assert {kill.wreck for kill in kills} == {None, "half a line", "fires cut", "power loss"}
    assert any(kill.starts for kill in kills)
    assert any(kill.meanwhile for kill in kills)
    assert any(action.source.broken for action in actions if isinstance(action, Write))
