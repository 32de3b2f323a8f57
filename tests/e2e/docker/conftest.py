"""A browser for tests of the containers' pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browser import running_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # of a machine that does other work beside
    with running_browser() as browser:
        yield browser
