"""The schema that the answers to a request have to fit: prepared for the model, and validated."""

import asyncio
from typing import Any

from pydantic import BaseModel, ValidationError

from backend.completions.schema_check import map_schema_errors
from backend.json_schema.errors import SchemaCrashError, SchemaTimeoutError
from backend.json_schema.prepare import PreparedSchema, prepare
from backend.json_schema.references import json_pointer
from backend.json_schema.size_budget import CHARACTERS_PER_TOKEN
from backend.json_schema.validator import SchemaValidator, ValidationIssue, ValidationResult
from backend.json_schema.worker import WorkerPool
from backend.structured.protocol import StructuredRequest
from backend.structured.response_types import RESPONSE_TYPES


class TargetSchema:
    """A JSON Schema, with the Pydantic model that it comes from if that is a registered type."""

    def __init__(
        self, request: StructuredRequest, workers: WorkerPool, *, max_tokens: int, prompt: str
    ) -> None:
        """Accept the text whose mentions of properties count; none does if it is empty."""
        self.name, self._schema, self._model = _requested_schema(request)
        self._workers = workers
        self._characters = max_tokens * CHARACTERS_PER_TOKEN
        self._prompt = prompt
        self._is_in_hurry = False
        self._prepared: dict[int, PreparedSchema] = {}  # by level
        self._preparing = asyncio.Lock()
        self._validator: SchemaValidator | None = None

    async def prepare(self, level: int) -> PreparedSchema:
        """Check the schema and return it narrowed to `level`, prepared once for all answers.

        Raises:
            SmolChatError: The schema cannot be used, or no worker is available.
        """
        async with self._preparing:
            if level not in self._prepared:
                with map_schema_errors("response_format"):
                    self._prepared[level] = await self._prepare(level)
        return self._prepared[level]

    async def _prepare(self, level: int) -> PreparedSchema:
        arguments = (self._schema, self._characters, level, self._prompt)
        try:
            return await self._workers.run(prepare, *arguments, is_in_hurry=self._is_in_hurry)
        except (SchemaCrashError, SchemaTimeoutError):
            if self._is_in_hurry:
                raise
            self._is_in_hurry = True
            return await self._workers.run(prepare, *arguments, is_in_hurry=True)

    def validate(self, text: str) -> ValidationResult:
        """Validate an answer against the schema that was asked for."""
        if self._validator is None:
            checked = next(iter(self._prepared.values()))
            self._validator = SchemaValidator(self._schema, checked.max_applied)
        result = self._validator.validate(text)
        if result.errors or self._model is None:
            return result
        try:
            self._model.model_validate(result.parsed)
        except ValidationError as error:
            return ValidationResult(
                errors=[
                    ValidationIssue(json_pointer(detail["loc"]), detail["type"], detail["msg"])
                    for detail in error.errors()
                ]
            )
        return result


def _requested_schema(
    request: StructuredRequest,
) -> tuple[str, dict[str, Any] | bool, type[BaseModel] | None]:
    if request.response_type is not None:
        model = RESPONSE_TYPES[request.response_type]
        return request.response_type, model.model_json_schema(), model
    assert request.response_format  # noqa: S101  # the request has exactly one of the two
    definition = request.response_format.json_schema
    return definition.name, definition.json_schema, None
