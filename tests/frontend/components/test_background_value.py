"""The latest result of a call: a script waits for the first one only."""

import threading
import time
from collections.abc import Callable

import pytest

from components.background_value import WAIT_SECONDS, BackgroundValue


class Loads:
    """A call that returns 1, 2, … and may be held up."""

    def __init__(self) -> None:
        self.count = 0
        self.released = threading.Event()
        self.released.set()

    def __call__(self) -> int:
        self.count += 1
        count = self.count
        assert self.released.wait(10)
        return count


@pytest.fixture
def loads() -> Loads:
    return Loads()


def get_until(value: BackgroundValue[int], expected: int) -> bool:
    deadline = time.monotonic() + 5
    while (result := value.get()) != expected:
        assert time.monotonic() < deadline, result
    return True


def test_result_is_loaded_again_when_it_is_old(loads: Loads) -> None:
    value = BackgroundValue(loads)
    assert (value.get(), value.get(), value.get(max_age_seconds=0)) == (1, 1, 2)


def test_first_result_is_waited_for(loads: Loads) -> None:
    value = BackgroundValue(loads)
    loads.released.clear()
    threading.Timer(2 * WAIT_SECONDS, loads.released.set).start()
    assert value.get() == 1


def test_last_result_is_returned_while_a_call_is_slow(loads: Loads) -> None:
    value = BackgroundValue(loads)
    value.get()
    loads.released.clear()
    started = time.monotonic()
    assert [value.get(max_age_seconds=0) for _ in range(3)] == [1, 1, 1]
    assert time.monotonic() - started < 5 * WAIT_SECONDS
    assert loads.count == 2  # one call at a time
    loads.released.set()
    assert get_until(value, 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(lambda value: value.set(10), 10), (lambda value: value.clear(), 3)],
    ids=["set", "clear"],
)
def test_result_of_an_earlier_call_is_dropped(
    loads: Loads, change: Callable[[BackgroundValue[int]], None], expected: int
) -> None:
    value = BackgroundValue(loads)
    value.get()
    loads.released.clear()
    value.get(max_age_seconds=0)
    change(value)
    loads.released.set()
    time.sleep(0.05)
    assert value.get() == expected


def test_error_is_raised() -> None:
    value = BackgroundValue[int](lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        value.get()
