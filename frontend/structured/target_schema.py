"""The form that an answer has to have, and how each way of asking for it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TargetSchema:
    """A JSON Schema: a person's own, or one that the API knows by a name."""

    schema: dict[str, Any]
    registered_name: str = ""

    @property
    def name(self) -> str:
        return self.registered_name or "answer"

    def request_fields(self) -> dict[str, Any]:
        """Give the fields that ask /structured for this form."""
        if self.registered_name:
            return {"response_type": self.registered_name}
        return {"response_format": self.response_format()}

    def response_format(self) -> dict[str, Any]:
        """Give the field that asks any OpenAI-compatible server for this form."""
        named = {"name": self.name, "schema": self.schema, "strict": True}
        return {"type": "json_schema", "json_schema": named}


def build_request(
    form: TargetSchema, prompt: str, *, model: str | None, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask for one answer. What is not chosen is left to the server."""
    messages = [{"role": "user", "content": prompt.strip()}]
    named = {"model": model} if model else {}
    told = {"smolchat": {"progress": True}}
    return {"messages": messages} | named | dict(parameters) | form.request_fields() | told
