"""The steps of an answer with tools, and the events of its stream."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

Strategy = Literal["native", "constrained"]
StepState = Literal["running", "awaiting_approval", "finished", "failed", "denied", "interrupted"]

MAX_ID_CHARACTERS = 200  # of a call that is stored


class Step(BaseModel):
    """One call of a tool that the API runs, and its result. Fields without a value are omitted."""

    id: Annotated[str, Field(description="The id of the tool call.")]
    tool: str
    arguments: Any
    strategy: Annotated[
        Strategy,
        Field(
            description="`native`: the model called the tool by its own format; "
            "`constrained`: the API chose the tool, and had its arguments generated under a schema."
        ),
    ]
    state: StepState
    result: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    error: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    milliseconds: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None


@dataclass(frozen=True)
class ToolCall:
    """A call whose arguments match its function's schema."""

    id: str
    name: str
    arguments: str  # JSON
    strategy: Strategy | None = None  # None in a call from the messages of the request

    def as_dict(self) -> dict[str, Any]:
        """Return the call in OpenAI's form."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True)
class Delta:
    """A chunk of the answer, without calls, finish reason and usage; or a progress report."""

    chunk: dict[str, Any]


@dataclass(frozen=True)
class CallsMade:
    """The message ends with these calls. Those of the API's tools follow as steps."""

    calls: list[ToolCall]


@dataclass(frozen=True)
class StepChanged:
    """A step is new, or has changed."""

    step: Step


@dataclass(frozen=True)
class AnswerStarted:
    """The model starts another message, after the results."""


@dataclass(frozen=True)
class TurnFinished:
    """The end: `calls` are for the client to run, or await its approval."""

    finish_reason: str
    calls: list[ToolCall] = field(default_factory=list)


TurnEvent = Delta | CallsMade | StepChanged | AnswerStarted | TurnFinished
