"""When to give up on processes that wait for scripts."""

from schedd.runner.deaths import COLD_S, MOST, WITHIN_S, Deaths


def test_one_that_dies_is_started_again() -> None:
    deaths = Deaths()
    assert deaths.note(0.0) == "it is started again"
    assert not deaths.are_too_many(0.0)


def test_after_some_in_a_minute_none_is_tried_for_a_while() -> None:
    deaths = Deaths()
    said = [deaths.note(float(number)) for number in range(MOST)]
    assert said[-1] == "its scripts are started cold for 10 minutes, or until a reload"
    assert deaths.are_too_many(MOST - 1 + COLD_S - 0.001)
    assert not deaths.are_too_many(MOST - 1 + COLD_S)


def test_some_in_more_than_a_minute_are_not_too_many() -> None:
    deaths = Deaths()
    for number in range(10):
        deaths.note(number * WITHIN_S)
        assert not deaths.are_too_many(number * WITHIN_S)


def test_one_that_never_came_to_be_is_enough() -> None:
    deaths = Deaths()
    deaths.note(5.0, hopeless=True)
    assert deaths.are_too_many(6.0)


def test_what_is_forgiven_is_tried_at_once_and_as_often_as_before() -> None:
    deaths = Deaths()
    for _ in range(MOST):
        deaths.note(1.0)
    deaths.forgive()
    assert not deaths.are_too_many(1.0)
    assert deaths.note(1.0) == "it is started again"
