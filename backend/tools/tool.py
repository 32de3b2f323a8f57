"""A tool that the API runs, either built in or on an MCP server."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.json_schema.validator import SchemaValidator

BUILT_IN = "built-in"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every model server accepts


@dataclass(frozen=True)
class ToolResult:
    """What a call returned, or why it failed, as the model and the user read it."""

    text: str
    is_error: bool = False


class ToolError(Exception):
    """A call failed; the message is its result."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A function that the model may call.

    `parameters` is a JSON Schema; an untrusted one has been checked by `check_original`.
    """

    name: str
    title: str
    description: str
    parameters: dict[str, Any]
    sent_parameters: Any = None  # for model servers that cannot take `parameters` as they are
    source: str = BUILT_IN  # or the name of an MCP server
    read_only: bool = False  # whether it changes nothing, and so needs no approval
    seconds: float = 30.0  # the time limit of a call
    cues: tuple[re.Pattern[str], ...] = ()  # patterns of questions that need it
    # Returns the arguments that a question states, or None; then no model has to generate them.
    extract_arguments: Callable[[str], dict[str, Any] | None] = lambda _question: None
    binding: str = ""  # what an approval is bound to: a hash of the server's address and headers
    run: Callable[[dict[str, Any]], Awaitable[ToolResult]]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r:.100} is not a valid tool name: {_NAME.pattern}")

    @cached_property
    def validator(self) -> SchemaValidator:
        return SchemaValidator(self.parameters)
