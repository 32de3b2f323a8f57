"""The form that the answers to a request have to have: what of it is sent, and what has it."""

import asyncio
from typing import Any

from pydantic import BaseModel, ValidationError

from backend.completions.schema_check import run_in_schema_worker
from backend.json_schema.prepare import Prepared, prepare
from backend.json_schema.references import json_pointer
from backend.json_schema.validator import SchemaValidator, ValidationIssue, ValidationResult
from backend.json_schema.worker import WorkerPool
from backend.structured.protocol import StructuredRequest
from backend.structured.response_types import RESPONSE_TYPES


class TargetSchema:
    """A JSON Schema, with the Pydantic model that it was made from where it is a registered one."""

    def __init__(self, request: StructuredRequest, worker: WorkerPool, *, characters: int) -> None:
        self.name, self._schema, self._model = _requested_schema(request)
        self._worker = worker
        self._characters = characters
        self._prepared: dict[int, Prepared] = {}
        self._preparing = asyncio.Lock()
        self._judge: SchemaValidator | None = None

    async def prepare(self, level: int) -> Prepared:
        """Give what is sent at a level, made once for all answers. The schema is vetted before.

        Raises:
            SmolChatError: no answer can be had for the schema, or nobody can look through it now.
        """
        async with self._preparing:
            if level not in self._prepared:
                self._prepared[level] = await run_in_schema_worker(
                    self._worker, "response_format", prepare, self._schema, self._characters, level
                )
        return self._prepared[level]

    def validate(self, text: str) -> ValidationResult:
        """Judge an answer to what was prepared."""
        if self._judge is None:
            vetted = next(iter(self._prepared.values()))
            self._judge = SchemaValidator(self._schema, vetted.max_applied)
        verdict = self._judge.validate(text)
        if verdict.errors or self._model is None:
            return verdict
        try:
            self._model.model_validate(verdict.parsed)
        except ValidationError as error:
            faults = [
                ValidationIssue(json_pointer(found["loc"]), found["type"], found["msg"])
                for found in error.errors()
            ]
            return ValidationResult(errors=faults)
        return verdict


def _requested_schema(
    request: StructuredRequest,
) -> tuple[str, dict[str, Any] | bool, type[BaseModel] | None]:
    if request.response_type is not None:
        model = RESPONSE_TYPES[request.response_type]
        return request.response_type, model.model_json_schema(), model
    assert request.response_format  # noqa: S101  # one of the two is there
    asked = request.response_format.json_schema
    return asked.name, asked.json_schema, None
