"""Numbers as a person writes them."""

from decimal import Decimal, localcontext
from fractions import Fraction

Number = Fraction | float  # exact, or the result of a function such as a sine

MAX_INTEGER_DIGITS = 30  # of one that is written out
SIGNIFICANT_DIGITS = 10  # of a number that is rounded
MAX_EXACT_DIGITS = 15  # of a number that is not
_MAX_ZEROS = 6  # after the decimal point
_FLOAT_NOISE = 1e-14


def number_text(value: Number) -> tuple[str, bool]:
    """Return a number as text, and whether the text is exact."""
    if isinstance(value, float):
        rounded = Fraction(f"{value:.{SIGNIFICANT_DIGITS}g}")
        is_exact = abs(rounded - Fraction(value)) <= abs(value) * _FLOAT_NOISE
        return number_text(rounded)[0], is_exact
    if value.denominator == 1 and abs(value.numerator) < 10**MAX_INTEGER_DIGITS:
        return str(value.numerator), True
    with localcontext() as context:
        context.prec = MAX_EXACT_DIGITS
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
        is_exact = Fraction(decimal) == value
        if not is_exact:
            whole_digits = decimal.adjusted() + 1
            is_long = SIGNIFICANT_DIGITS < whole_digits <= MAX_EXACT_DIGITS
            context.prec = whole_digits if is_long else SIGNIFICANT_DIGITS
            decimal = Decimal(value.numerator) / Decimal(value.denominator)
        return _decimal_text(decimal), is_exact


def _decimal_text(decimal: Decimal) -> str:
    exponent = decimal.adjusted()
    if -_MAX_ZEROS <= exponent < MAX_EXACT_DIGITS:
        return _without_zeros(f"{decimal:f}")
    mantissa = _without_zeros(f"{decimal.scaleb(-exponent):f}")
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10^{exponent}"


def _without_zeros(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
