"""Turns a typed Python function with a docstring into a tool."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from backend.tools.tool import Tool, ToolError, ToolResult

Function = Callable[..., str] | Callable[..., Awaitable[str]]


def function_tool(
    *,
    title: str,
    read_only: bool,
    seconds: float,
    cues: Sequence[str] = (),
    extract_arguments: Callable[[str], dict[str, Any] | None] = lambda _question: None,
) -> Callable[[Function], Tool]:
    """Return a decorator that turns a function into a tool; the text it returns is the result.

    The function's name and docstring are the tool's; its signature is the schema, with descriptions
    in `Annotated[…, Field(description=…)]`. It raises ToolError with a sentence for the model.
    `extract_arguments` returns the arguments that a question states outright, or None.
    A function that is not async runs in a thread, which cannot be cancelled.
    """

    def decorate(function: Function) -> Tool:
        arguments = _arguments_model(function)
        return Tool(
            name=function.__name__,
            title=title,
            description=" ".join((inspect.getdoc(function) or "").split()),
            parameters=_parameters(arguments),
            read_only=read_only,
            seconds=seconds,
            cues=tuple(re.compile(cue, re.IGNORECASE) for cue in cues),
            extract_arguments=extract_arguments,
            run=_runner(function, arguments),
        )

    return decorate


def _arguments_model(function: Function) -> type[BaseModel]:
    types = get_type_hints(function, include_extras=True)
    fields = {
        name: (types[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    model: type[BaseModel] = create_model(  # type: ignore[call-overload]  # fields of any type
        function.__name__, __config__=config, **fields
    )
    return model


def _parameters(arguments: type[BaseModel]) -> dict[str, Any]:
    """Return the schema without the titles, which only repeat the names."""
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    for parameter in schema.get("properties", {}).values():
        parameter.pop("title", None)
    return schema


def _runner(
    function: Function, model: type[BaseModel]
) -> Callable[[dict[str, Any]], Awaitable[ToolResult]]:
    async def run(arguments: dict[str, Any]) -> ToolResult:
        try:
            values = dict(model.model_validate(arguments))
        except ValidationError as error:  # of constraints that the schema cannot express
            raise ToolError(f"The arguments are not valid: {error.errors()[0]['msg']}.") from None
        if inspect.iscoroutinefunction(function):
            return ToolResult(await function(**values))
        return ToolResult(await asyncio.to_thread(cast("Callable[..., str]", function), **values))

    return run
