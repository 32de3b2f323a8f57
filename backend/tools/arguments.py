"""Checks the arguments of calls against the schemas of their functions."""

from backend.completions.schema_check import map_schema_errors
from backend.json_schema.limits import check_original
from backend.json_schema.validator import SchemaValidator, ValidationResult
from backend.json_schema.worker import WorkerPool
from backend.tools.calling.function import FunctionSpec


class ArgumentChecker:
    """Validates arguments; each schema is checked once, in a worker, before it is used."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._validators: dict[str, SchemaValidator] = {}

    async def validate(self, function: FunctionSpec, text: str) -> ValidationResult:
        """Validate JSON text as the arguments of a function.

        Raises:
            SmolChatError: The function's schema cannot be used.
        """
        if (validator := self._validators.get(function.name)) is None:
            with map_schema_errors("tools"):
                max_applied = await self._workers.run(check_original, function.parameters)
            validator = SchemaValidator(function.parameters, max_applied)
            self._validators[function.name] = validator
        return validator.validate(text or "{}")
