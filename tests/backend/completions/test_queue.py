import pytest

from backend.completions.queue import QueueSlot, RequestQueue
from backend.errors import TooManyRequestsError

pytestmark = pytest.mark.anyio


async def position(slot: QueueSlot) -> int | None:
    return await anext(slot.positions(), None)


async def test_requests_over_the_limit_wait_in_order() -> None:
    queue = RequestQueue(max_running=2, max_waiting=5)
    slots = [queue.enqueue() for _ in range(4)]
    assert [await position(slot) for slot in slots] == [None, None, 1, 2]
    slots[0].release()
    assert [await position(slot) for slot in slots[1:]] == [None, None, 1]
    assert (queue.running, queue.waiting) == (2, 1)


async def test_request_to_a_full_queue_is_rejected_without_a_slot() -> None:
    queue = RequestQueue(max_running=1, max_waiting=1)
    first, _ = queue.enqueue(), queue.enqueue()
    with pytest.raises(TooManyRequestsError):
        queue.enqueue()
    first.release()
    assert (queue.running, queue.waiting) == (1, 0)


async def test_releasing_a_waiting_slot_moves_the_next_one_up() -> None:
    queue = RequestQueue(max_running=1, max_waiting=5)
    queue.enqueue()
    second, third = queue.enqueue(), queue.enqueue()
    positions = third.positions()
    assert await anext(positions) == 2
    second.release()
    assert await anext(positions) == 1


async def test_exclusive_request_runs_alone() -> None:
    queue = RequestQueue(max_running=4, max_waiting=5)
    first, exclusive, last = queue.enqueue(), queue.enqueue(exclusive=True), queue.enqueue()
    assert [await position(slot) for slot in (first, exclusive, last)] == [None, 1, 2]
    first.release()
    assert [await position(slot) for slot in (exclusive, last)] == [None, 1]
    exclusive.release()
    assert await position(last) is None


async def test_released_exclusive_request_no_longer_blocks_the_queue() -> None:
    queue = RequestQueue(max_running=4, max_waiting=5)
    queue.enqueue()
    exclusive, last = queue.enqueue(exclusive=True), queue.enqueue()
    exclusive.release()
    assert await position(last) is None
    assert queue.running == 2


async def test_try_acquire_returns_a_slot_only_if_none_is_waited_for() -> None:
    queue = RequestQueue(max_running=2, max_waiting=5)
    first = queue.enqueue()
    extra = queue.try_acquire()
    assert extra
    assert extra.is_running
    assert queue.try_acquire() is None
    waiting = queue.enqueue()
    extra.release()
    assert waiting.is_running
    assert queue.try_acquire() is None
    waiting.release()
    first.release()
    exclusive = queue.enqueue(exclusive=True)
    assert queue.try_acquire() is None
    exclusive.release()
    assert queue.try_acquire()


async def test_queue_is_full_if_the_next_request_would_be_rejected() -> None:
    for max_waiting in (0, 1):
        queue = RequestQueue(max_running=1, max_waiting=max_waiting)
        for _ in range(1 + max_waiting):
            assert not queue.is_full
            queue.enqueue()
        assert queue.is_full
    exclusive = RequestQueue(max_running=5, max_waiting=0)
    exclusive.enqueue(exclusive=True)
    assert exclusive.is_full
