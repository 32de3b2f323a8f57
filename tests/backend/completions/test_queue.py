"""Who runs, who waits, and who is sent away."""

import pytest

from backend.completions.queue import QueueSlot, RequestQueue
from backend.errors import TooManyRequestsError

pytestmark = pytest.mark.anyio


async def position(place: QueueSlot) -> int | None:
    return await anext(place.positions(), None)


async def test_so_many_run_and_the_rest_wait_in_their_order() -> None:
    line = RequestQueue(most=2, most_waiting=5)
    places = [line.enqueue() for _ in range(4)]
    assert [await position(place) for place in places] == [None, None, 1, 2]
    places[0].release()
    assert [await position(place) for place in places[1:]] == [None, None, 1]
    assert (line.running, line.waiting) == (2, 1)


async def test_one_too_many_is_sent_away_and_takes_no_place() -> None:
    line = RequestQueue(most=1, most_waiting=1)
    first, _ = line.enqueue(), line.enqueue()
    with pytest.raises(TooManyRequestsError):
        line.enqueue()
    first.release()
    assert (line.running, line.waiting) == (1, 0)


async def test_who_leaves_the_line_lets_the_others_move_up() -> None:
    line = RequestQueue(most=1, most_waiting=5)
    line.enqueue()
    second, third = line.enqueue(), line.enqueue()
    positions = third.positions()
    assert await anext(positions) == 2
    second.release()
    assert await anext(positions) == 1


async def test_one_that_has_to_be_alone_is_alone() -> None:
    line = RequestQueue(most=4, most_waiting=5)
    first, alone, later = line.enqueue(), line.enqueue(is_alone=True), line.enqueue()
    assert [await position(place) for place in (first, alone, later)] == [None, 1, 2]
    first.release()
    assert [await position(place) for place in (alone, later)] == [None, 1]
    alone.release()
    assert await position(later) is None


async def test_one_that_has_to_be_alone_and_gives_up_holds_nobody_back() -> None:
    line = RequestQueue(most=4, most_waiting=5)
    line.enqueue()
    alone, later = line.enqueue(is_alone=True), line.enqueue()
    alone.release()
    assert await position(later) is None
    assert line.running == 2


async def test_a_spare_place_is_one_that_nobody_waits_for() -> None:
    line = RequestQueue(most=2, most_waiting=5)
    first = line.enqueue()
    spare = line.try_acquire()
    assert spare
    assert spare.is_running
    assert line.try_acquire() is None
    waiting = line.enqueue()
    spare.release()
    assert waiting.is_running
    assert line.try_acquire() is None
    waiting.release()
    first.release()
    alone = line.enqueue(is_alone=True)
    assert line.try_acquire() is None
    alone.release()
    assert line.try_acquire()


async def test_a_line_is_full_where_the_next_would_be_sent_away() -> None:
    for most_waiting in (0, 1):
        line = RequestQueue(most=1, most_waiting=most_waiting)
        for _ in range(1 + most_waiting):
            assert not line.is_full
            line.enqueue()
        assert line.is_full
    alone = RequestQueue(most=5, most_waiting=0)
    alone.enqueue(is_alone=True)
    assert alone.is_full
