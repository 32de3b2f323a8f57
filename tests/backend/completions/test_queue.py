"""Who runs, who waits, and who is sent away."""

import pytest

from backend.completions.queue import Line, Place
from backend.errors import TooManyRequestsError

pytestmark = pytest.mark.anyio


async def position(place: Place) -> int | None:
    return await anext(place.positions(), None)


async def test_so_many_run_and_the_rest_wait_in_their_order() -> None:
    line = Line(most=2, most_waiting=5)
    places = [line.place() for _ in range(4)]
    assert [await position(place) for place in places] == [None, None, 1, 2]
    places[0].leave()
    assert [await position(place) for place in places[1:]] == [None, None, 1]
    assert (line.running, line.waiting) == (2, 1)


async def test_one_too_many_is_sent_away_and_takes_no_place() -> None:
    line = Line(most=1, most_waiting=1)
    first, _ = line.place(), line.place()
    with pytest.raises(TooManyRequestsError):
        line.place()
    first.leave()
    assert (line.running, line.waiting) == (1, 0)


async def test_who_leaves_the_line_lets_the_others_move_up() -> None:
    line = Line(most=1, most_waiting=5)
    line.place()
    second, third = line.place(), line.place()
    positions = third.positions()
    assert await anext(positions) == 2
    second.leave()
    assert await anext(positions) == 1


async def test_one_that_has_to_be_alone_is_alone() -> None:
    line = Line(most=4, most_waiting=5)
    first, alone, later = line.place(), line.place(is_alone=True), line.place()
    assert [await position(place) for place in (first, alone, later)] == [None, 1, 2]
    first.leave()
    assert [await position(place) for place in (alone, later)] == [None, 1]
    alone.leave()
    assert await position(later) is None


async def test_one_that_has_to_be_alone_and_gives_up_holds_nobody_back() -> None:
    line = Line(most=4, most_waiting=5)
    line.place()
    alone, later = line.place(is_alone=True), line.place()
    alone.leave()
    assert await position(later) is None
    assert line.running == 2


async def test_a_spare_place_is_one_that_nobody_waits_for() -> None:
    line = Line(most=2, most_waiting=5)
    first = line.place()
    spare = line.spare_place()
    assert spare
    assert spare.is_running
    assert line.spare_place() is None
    waiting = line.place()
    spare.leave()
    assert waiting.is_running
    assert line.spare_place() is None
    waiting.leave()
    first.leave()
    alone = line.place(is_alone=True)
    assert line.spare_place() is None
    alone.leave()
    assert line.spare_place()


async def test_a_line_is_full_where_the_next_would_be_sent_away() -> None:
    for most_waiting in (0, 1):
        line = Line(most=1, most_waiting=most_waiting)
        for _ in range(1 + most_waiting):
            assert not line.is_full
            line.place()
        assert line.is_full
    alone = Line(most=5, most_waiting=0)
    alone.place(is_alone=True)
    assert alone.is_full
