"""A browser for tests of the containers' pages."""

import pytest

from tests.support.browser import provide_browser

browser = pytest.fixture(scope="module")(provide_browser)
