"""The calculator: arithmetic of a limited size."""

import ast
from typing import Annotated, Any

from pydantic import Field
from simpleeval import InvalidExpression, SimpleEval  # type: ignore[import-untyped]

from backend.tools.builtin.arithmetic import CONSTANTS, FUNCTIONS, OPERATORS
from backend.tools.builtin.expression import MAX_CHARACTERS, Expression, read_expression, trim
from backend.tools.builtin.expression_in_text import find_expression
from backend.tools.builtin.number_text import Number, number_text
from backend.tools.function_tool import function_tool
from backend.tools.tool import ToolError

_NODES = (ast.Expr, ast.Name, ast.UnaryOp, ast.BinOp, ast.Call)
_INVALID = "This is not arithmetic that can be calculated: {}. Write it like 12 * (7 + 5)."


# In regular expressions: multiplication sign, division sign, minus sign, en dash, square root.
_TIMES, _DIVIDED, _MINUS, _DASH, _ROOT = r"\u00d7", r"\u00f7", r"\u2212", r"\u2013", r"\u221a"
_WORDS = "plus|minus|times|divided by|multiplied by|squared|cubed|to the power of"
_VERBS = "calculate|compute|evaluate|add|subtract|multiply|divide|sum of|what is|what's|how much is"
_CUES = (
    rf"\d\)?\s*(?:\*\*|[*^+·{_TIMES}{_DIVIDED}]|\bx\b)\s*[\d(]",  # 12*(7+5), 3 x 4
    rf"\d\)?\s+[-/{_MINUS}{_DASH}]\s+[(]?\d",  # 7 - 5, but not 2026-11-29
    rf"(?<![\d/.-])\d+(?:\.\d+)?[-/{_MINUS}]\d+(?:\.\d+)?\s*[=?]?\s*$",  # 7-5?
    r"\d\s*(?:%|per ?cent)\s*(?:of|off|tip|discount)\b",
    rf"\d\s+(?:{_WORDS})\b",
    rf"(?:\b(?:square root|cube root|factorial|sqrt|percentage)\b|{_ROOT}).{{0,20}}\d",
    rf"\b(?:{_VERBS})\s+[(\d][\d.,()]{{0,20}}\s*(?:[-+*/^%]|and|by|from|to)\s*[(\d]",
)


def _extract_arguments(question: str) -> dict[str, Any] | None:
    expression = find_expression(question)
    return None if expression is None else {"expression": expression}


@function_tool(
    title="Calculator",
    read_only=True,
    seconds=5,
    cues=_CUES,
    extract_arguments=_extract_arguments,
)
def calculator(
    expression: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="The arithmetic expression, for example 12 * (7 + 5) or 17 % of 2340.",
        ),
    ],
) -> str:
    """Calculate the result of an arithmetic expression.

    For sums, differences, products, division, percent, powers, roots and other math functions.
    """
    value, is_exact = number_text(evaluate(read_expression(expression)))
    return f"{trim(expression)} {'=' if is_exact else '≈'} {value}"


def evaluate(expression: Expression) -> Number:
    """Return the value.

    Raises:
        ToolError: There is none.
    """
    evaluator = SimpleEval(OPERATORS, FUNCTIONS, {**CONSTANTS, **expression.names})
    evaluator.nodes = {node: evaluator.nodes[node] for node in _NODES}
    try:
        value: Number = evaluator.eval(expression.source)
    except ZeroDivisionError:
        raise ToolError("The expression divides by zero.") from None
    except OverflowError:
        raise ToolError("The result is too large.") from None
    except ValueError:
        raise ToolError("The expression has no real number as its result.") from None
    except (InvalidExpression, SyntaxError):
        raise ToolError(_INVALID.format("a number or an operator is missing")) from None
    except TypeError:
        raise ToolError(_INVALID.format("a function has too many or too few values")) from None
    except (RecursionError, MemoryError):
        raise ToolError(_INVALID.format("it is nested too deeply")) from None
    return value
