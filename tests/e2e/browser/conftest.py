"""One browser for all tests of the pages; each opens them in a context of its own."""

import pytest

from tests.support.browser import provide_browser

browser = pytest.fixture(scope="package")(provide_browser)
