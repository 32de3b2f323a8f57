"""Operators and functions of the calculator: exact with fractions, and limited in size."""

import ast
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from backend.tools.builtin.number_text import Number
from backend.tools.tool import ToolError

MAX_BITS = 8192  # of a number's numerator or denominator: about 2,500 digits
MAX_FACTORIAL = 300
MAX_PLACES = 50  # to which a number is rounded
_ZERO = 1e-15  # what a sine of a multiple of pi is less than

Function = Callable[..., Number]
AnyFunction = Callable[..., Any]  # one that may return an int


class Percent(Fraction):
    """A share written with a percent sign: 200 + 10 % is 220."""


def _limited(function: AnyFunction) -> Function:
    """Return a function that raises ToolError if its result is too large."""

    def call(*values: Number) -> Number:
        value = function(*values)
        result: Number = Fraction(value) if isinstance(value, int) else value
        if isinstance(result, float):
            is_too_large = not math.isfinite(result)
        else:
            is_too_large = _bits(result) > MAX_BITS
        if is_too_large:
            raise ToolError("The result is too large.")
        return result

    return call


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _add(left: Number, right: Number) -> Number:
    return left * (1 + right) if _is_share_of(left, right) else left + right


def _subtract(left: Number, right: Number) -> Number:
    return left * (1 - right) if _is_share_of(left, right) else left - right


def _is_share_of(left: Number, right: Number) -> bool:
    return isinstance(right, Percent) and not isinstance(left, Percent)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        if abs(base) != 1 and _bits(base) * abs(exponent.numerator) > MAX_BITS:
            raise ToolError("The result is too large.")
        return Fraction(base) ** exponent.numerator
    return math.pow(base, exponent)


def _square_root(value: Number) -> Number:
    if isinstance(value, Fraction) and value >= 0:
        root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
        if root * root == value:
            return root
    return math.sqrt(value)


def _round(value: Number, places: Number = Fraction(0)) -> Fraction:
    """Round halves away from zero, as people do."""
    if not -MAX_PLACES <= places <= MAX_PLACES:
        raise ToolError(f"Round to {MAX_PLACES} decimal places at most.")
    scale = Fraction(10) ** _integer(places)
    scaled = Fraction(value) * scale
    rounded = math.floor(abs(scaled) + Fraction(1, 2))
    return (-rounded if scaled < 0 else rounded) / scale


def _mean(*values: Number) -> Number:
    return sum(values) / Fraction(len(values))


def _log(value: Number, base: Number = Fraction(10)) -> float:
    return math.log10(value) if base == 10 else math.log(value) / math.log(base)


def _factorial(value: Number) -> int:
    if not 0 <= value <= MAX_FACTORIAL:
        raise ToolError(f"A factorial is of a whole number from 0 to {MAX_FACTORIAL}.")
    return math.factorial(_integer(value))


def _combinations(items: Number, chosen: Number) -> int:
    if not 0 <= items <= MAX_FACTORIAL:
        raise ToolError(f"comb is of whole numbers from 0 to {MAX_FACTORIAL}.")
    return math.comb(_integer(items), _integer(chosen))


def _integer(value: Number) -> int:
    if value != math.floor(value):
        raise ToolError("A function needs whole numbers here.")
    return math.floor(value)


def _of_integers(function: Callable[..., int]) -> Function:
    return lambda *values: Fraction(function(*map(_integer, values)))


def _periodic(function: Callable[[float], float]) -> Function:
    def call(angle: Number) -> float:
        result = function(float(angle))
        return 0.0 if abs(result) < _ZERO else result

    return call


OPERATORS: dict[type[ast.AST], Function] = {
    ast.Add: _limited(_add),
    ast.Sub: _limited(_subtract),
    ast.Mult: _limited(operator.mul),
    ast.Div: _limited(operator.truediv),
    ast.FloorDiv: _limited(operator.floordiv),
    ast.Mod: _limited(operator.mod),
    ast.Pow: _limited(_power),
    ast.USub: _limited(operator.neg),
    ast.UAdd: _limited(operator.pos),
}
_FUNCTIONS: dict[str, AnyFunction] = {
    "abs": abs,
    "acos": math.acos,
    "asin": math.asin,
    "atan": math.atan,
    "average": _mean,
    "cbrt": math.cbrt,
    "ceil": math.ceil,
    "comb": _combinations,
    "cos": _periodic(math.cos),
    "degrees": math.degrees,
    "exp": math.exp,
    "factorial": _factorial,
    "floor": math.floor,
    "gcd": _of_integers(math.gcd),
    "lcm": _of_integers(math.lcm),
    "ln": math.log,
    "log": _log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "mean": _mean,
    "min": min,
    "radians": math.radians,
    "round": _round,
    "sin": _periodic(math.sin),
    "sqrt": _square_root,
    "sum": lambda *values: sum(values),
    "tan": _periodic(math.tan),
}
FUNCTIONS = {name: _limited(function) for name, function in _FUNCTIONS.items()}
CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "percent": Fraction(1, 100)}
