"""The steps of an answer in an export: the results of its calls, which are messages too."""

from dataclasses import dataclass

from pydantic_core import from_json, to_json

from backend.conversations.conversation import Message
from backend.json_values import as_dict, as_str

_LABELS = {
    "running": "{} was interrupted",
    "awaiting_approval": "{} waits for approval",
    "failed": "{} failed",
    "denied": "{} was denied",
    "interrupted": "{} was interrupted",
}


@dataclass(frozen=True)
class ExportedStep:
    """How a call ended. `edited_arguments` are those that the user has changed, if any."""

    label: str
    text: str
    edited_arguments: str
    is_failed: bool


class StepReader:
    """Reads the messages of a branch in their order."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[str, object]] = {}  # of the latest answer, by their ids
        self._last_role = ""

    def read(self, message: Message) -> tuple[ExportedStep | None, bool]:
        """Return the step that a message is, and whether it goes on with the answer before it."""
        is_after_result = self._last_role == "tool" and bool(self._calls)
        call = self._calls.get(message.tool_call_id or "") if message.role == "tool" else None
        if message.role == "assistant":
            functions = [as_dict(call.get("function")) for call in message.tool_calls or []]
            ids = [as_str(call.get("id")) for call in message.tool_calls or []]
            self._calls = dict(zip(ids, functions, strict=True))
        elif message.role != "tool":
            self._calls = {}
        self._last_role = message.role
        is_continued = is_after_result and message.role == "assistant"
        return (None if call is None else _step(message, call)), is_continued or call is not None


def pretty_json(text: str) -> str:
    """Return JSON with line breaks, and other text as it is."""
    try:
        return to_json(from_json(text, allow_inf_nan=False), indent=2).decode()
    except ValueError:
        return text


def _step(message: Message, call: dict[str, object]) -> ExportedStep:
    step = message.step or {}
    state = as_str(step.get("state"))
    name = as_str(step.get("tool")) or as_str(call.get("name")) or "unknown"
    label = _LABELS.get(state, "Result of {}").replace("{}", name)
    milliseconds = step.get("milliseconds")
    if isinstance(milliseconds, int | float):
        label += f" · {milliseconds:,.0f} ms"
    return ExportedStep(
        label=label,
        text="" if state == "denied" else message.content,
        edited_arguments=_edited_arguments(step, call),
        is_failed=state == "failed",
    )


def _edited_arguments(step: dict[str, object], call: dict[str, object]) -> str:
    if "arguments" not in step:
        return ""
    run = to_json(step["arguments"], indent=2).decode()
    return "" if run == pretty_json(as_str(call.get("arguments"))) else run
