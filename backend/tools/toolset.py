"""The tools of a request: the client's functions, and tools that the API runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.errors import InvalidRequestError
from backend.json_values import as_dict, as_dict_list, as_str
from backend.tools.calling.function import FunctionSpec
from backend.tools.tool import Tool

_CHOICES = ("none", "auto", "required")


@dataclass(frozen=True, kw_only=True)
class Toolset:
    """The tools that the model may call, by name, and `tool_choice`."""

    client_functions: Mapping[str, FunctionSpec] = field(default_factory=dict)
    api_tools: Mapping[str, Tool] = field(default_factory=dict)
    other: Sequence[dict[str, Any]] = ()  # client tools that are not functions
    choice: Literal["none", "auto", "required"] = "auto"
    named: str | None = None  # the function that has to be called
    allowed: frozenset[str] | None = None  # the functions that may be called, if not all
    allows_parallel: bool = True

    @property
    def functions(self) -> dict[str, FunctionSpec]:
        """All functions that may be called; only the named one if there is one."""
        if self.choice == "none":
            return {}
        api_functions = {
            tool.name: FunctionSpec(tool.name, tool.description, tool.parameters, tool.cues)
            for tool in self.api_tools.values()
        }
        functions = {**self.client_functions, **api_functions}
        if self.allowed is not None:
            return {name: functions[name] for name in functions if name in self.allowed}
        return functions if self.named is None else {self.named: functions[self.named]}

    @property
    def is_offered(self) -> bool:
        """Return True if a model with native tool calls is shown any tool."""
        return bool(self.functions or (self.other and self.choice != "none"))

    def may_run_unknown(self, name: str) -> bool:
        """Return True if a call of a tool that does not exist gets a result that says so."""
        is_known = name in self.api_tools or name in self.client_functions
        return not is_known and bool(self.functions and self.api_tools)

    def request_fields(self) -> dict[str, Any]:
        """Return the fields of an upstream request to a model with native tool calls."""
        tools = [self._as_tool(function) for function in self.functions.values()]
        fields: dict[str, Any] = {"tools": [*tools, *self.other]} if tools or self.other else {}
        if not self.allows_parallel:
            fields["parallel_tool_calls"] = False
        return fields

    def client_tools(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the client's tools of `request_fields`. The others have been checked already."""
        return [
            tool
            for tool in fields.get("tools", ())
            if as_dict(tool.get("function")).get("name") not in self.api_tools
        ]

    def _as_tool(self, function: FunctionSpec) -> dict[str, Any]:
        tool = self.api_tools.get(function.name)
        parameters = tool.sent_parameters if tool else None
        return {
            "type": "function",
            "function": {
                "name": function.name,
                "description": function.description,
                "parameters": function.parameters if parameters is None else parameters,
            },
        }

    def choice_fields(self) -> dict[str, Any]:
        if self.named is not None:
            return {"tool_choice": {"type": "function", "function": {"name": self.named}}}
        return {} if self.choice == "auto" else {"tool_choice": self.choice}


def read_toolset(body: dict[str, Any], api_tools: Mapping[str, Tool]) -> Toolset:
    """Remove the tools from a request's body and return them; `functions` is OpenAI's older form.

    Raises:
        InvalidRequestError: Two tools have the same name, or `tool_choice` is not valid.
    """
    tools, param = body.pop("tools", None), "tools"
    choice = body.pop("tool_choice", None)
    functions, function_choice = body.pop("functions", None), body.pop("function_call", None)
    if tools is None and functions is not None:
        tools, param = [{"type": "function", "function": each} for each in functions], "functions"
    if choice is None:
        choice = function_choice
    client_functions, other = dict[str, FunctionSpec](), []
    for tool in as_dict_list(tools):
        if tool.get("type", "function") != "function":
            other.append(tool)
            continue
        function = _read_function(tool)
        if function.name in client_functions or function.name in api_tools:
            raise InvalidRequestError(
                f"Two tools are called {function.name:.80}. Rename one.", param=param
            )
        client_functions[function.name] = function
    names = {*client_functions, *api_tools}
    mode, allowed = _read_allowed(choice, names)
    mode, named = _read_choice(mode, names, is_offered=bool(names or other))
    return Toolset(
        client_functions=client_functions,
        api_tools=api_tools,
        other=other,
        choice=mode,
        named=named,
        allowed=allowed,
        allows_parallel=body.pop("parallel_tool_calls", None) is not False and functions is None,
    )


def _read_function(tool: dict[str, Any]) -> FunctionSpec:
    function = as_dict(tool.get("function"))
    name = as_str(function.get("name"))
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    return FunctionSpec(name, as_str(function.get("description")), parameters)


def _read_allowed(choice: Any, names: set[str]) -> tuple[Any, frozenset[str] | None]:
    """Return the mode and the names of a choice of the type `allowed_tools`, or another choice."""
    if as_dict(choice).get("type") != "allowed_tools":
        return choice, None
    fields = as_dict(as_dict(choice).get("allowed_tools"))
    tools = [as_dict(tool.get("function")) for tool in as_dict_list(fields.get("tools"))]
    allowed = frozenset(as_str(function.get("name")) for function in tools)
    if not allowed or not allowed <= names or fields.get("mode") not in ("auto", "required"):
        raise InvalidRequestError(
            "allowed_tools has the mode auto or required, and functions that are among the tools.",
            param="tool_choice",
        )
    return fields["mode"], allowed


def _read_choice(
    choice: Any, names: set[str], *, is_offered: bool
) -> tuple[Literal["none", "auto", "required"], str | None]:
    if choice is None or choice == "any":
        return ("auto" if choice is None else "required"), None
    if choice in _CHOICES:
        if choice == "required" and not is_offered:
            raise InvalidRequestError("tool_choice requires tools.", param="tool_choice")
        return choice, None
    named = as_str(as_dict(as_dict(choice).get("function")).get("name"))
    named = named or as_str(as_dict(choice).get("name"))
    if not named or named not in names:
        raise InvalidRequestError(
            "tool_choice is none, auto, required, or the name of one of the tools.",
            param="tool_choice",
        )
    return "required", named
