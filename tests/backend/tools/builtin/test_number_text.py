"""Numbers as a person writes them."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tools.builtin.number_text import Number, number_text

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize(
    ("value", "text", "is_exact"),
    [
        (Fraction(0), "0", True),
        (Fraction(-144), "-144", True),
        (Fraction("397.80"), "397.8", True),
        (Fraction(1, 3), "0.3333333333", False),
        (Fraction(2, 3), "0.6666666667", False),
        (Fraction(2**64), "18446744073709551616", True),
        (Fraction(10**40), f"1 {TIMES} 10^40", True),
        (Fraction(10**40, 3), f"3.333333333 {TIMES} 10^39", False),
        (Fraction("0.00000012"), f"1.2 {TIMES} 10^-7", True),
        (Fraction("0.000012"), "0.000012", True),
        (Fraction("-1234567.25"), "-1234567.25", True),
        (Fraction(10**14 + 1, 3), "33333333333334", False),
        (0.1 + 0.2, "0.3", True),
        (math.sqrt(2), "1.414213562", False),
        (math.sin(math.pi / 6), "0.5", True),
        (0.0, "0", True),
        (1e300, f"1 {TIMES} 10^300", True),
    ],
)
def test_number_has_no_noise(value: Number, text: str, is_exact: bool) -> None:
    assert number_text(value) == (text, is_exact)


@given(st.fractions())
def test_text_is_near_the_number_and_equal_if_exact(value: Fraction) -> None:
    text, is_exact = number_text(value)
    mantissa, _, power = text.replace(f" {TIMES} 10^", "e").partition("e")
    written = Fraction(mantissa) * Fraction(10) ** int(power or 0)
    assert abs(written - value) <= abs(value) * Fraction(1, 10**9)
    assert is_exact == (written == value) or is_exact is False
