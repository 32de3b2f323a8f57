"""The schema that an output must match, and the request fields that ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TargetSchema:
    """A JSON Schema, custom or registered with the API."""

    schema: dict[str, Any]
    registered_name: str = ""

    @property
    def name(self) -> str:
        return self.registered_name or "answer"

    def request_fields(self) -> dict[str, Any]:
        """Return the schema fields of a `/structured` request."""
        if self.registered_name:
            return {"response_type": self.registered_name}
        return {"response_format": self.response_format()}

    def response_format(self) -> dict[str, Any]:
        """Return the `response_format` of an OpenAI-compatible request."""
        json_schema = {"name": self.name, "schema": self.schema, "strict": True}
        return {"type": "json_schema", "json_schema": json_schema}


def fields_option(*, requires_mentioned: bool) -> dict[str, str]:
    """Return the option that says if optional fields that the prompt mentions are required."""
    return {"fields": "mentioned" if requires_mentioned else "schema"}


def build_request(
    target: TargetSchema,
    prompt: str,
    *,
    model: str | None,
    parameters: Mapping[str, Any],
    requires_mentioned: bool = True,
) -> dict[str, Any]:
    """Build a `/structured` request. Without `model`, the API uses its default."""
    body: dict[str, Any] = {"messages": [{"role": "user", "content": prompt.strip()}]}
    body |= {"model": model} if model else {}
    options = {"progress": True} | fields_option(requires_mentioned=requires_mentioned)
    return body | dict(parameters) | target.request_fields() | {"smolchat": options}
