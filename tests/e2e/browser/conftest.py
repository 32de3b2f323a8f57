"""One browser for all tests of the pages; each opens them in a context of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browser import running_browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # of a machine that does other work beside
    with running_browser() as browser:
        yield browser
