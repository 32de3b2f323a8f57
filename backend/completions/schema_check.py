"""Check the schemas in a request in the schema worker, before anything else handles them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from backend.errors import SchemaRejectedError, SchemaWorkerUnavailableError, TooManyRequestsError
from backend.json_schema.errors import SchemaError
from backend.json_schema.prepare import prepare_passthrough
from backend.json_schema.pruning.mentions import MAX_PROMPT_CHARACTERS
from backend.json_schema.worker import WorkerBusyError, WorkerPool, WorkerUnavailableError
from backend.json_values import user_text

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# The fields that a model server compiles to a grammar.
SCHEMA_FIELDS = frozenset({"grammar", "json_schema", "response_format", "tools"})
_RAW_GRAMMAR = (
    "A grammar can hang or crash the model server, so none is accepted. Send a JSON Schema in "
    "response_format, or set SMOLCHAT_RAW_GRAMMAR=true if you trust every client."
)


async def check_request_schemas(
    body: dict[str, Any], workers: WorkerPool, *, allows_grammar: bool
) -> None:
    """Check every schema in `body` that the model server would compile.

    One that model servers cannot take as it is, is replaced.

    Raises:
        SchemaRejectedError: A schema must not be sent; 600 bytes of it can crash a model server.
    """
    if body.get("grammar") and not allows_grammar:
        raise SchemaRejectedError(
            _RAW_GRAMMAR, code="schema_unsupported", param="grammar", pointer=""
        )
    prompt = user_text(body.get("messages", []), MAX_PROMPT_CHARACTERS)
    for param, holder, name in _request_schemas(body):
        holder[name] = await run_in_schema_worker(
            workers, param, prepare_passthrough, holder[name], prompt
        )


async def run_in_schema_worker(
    workers: WorkerPool,
    param: str,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Return what `function` returns in a worker process; map its errors to the API's.

    Raises:
        SchemaRejectedError: The schema in the field `param` cannot be used.
        TooManyRequestsError: Too many schemas are waiting already.
        SchemaWorkerUnavailableError: No worker process could be started.
    """
    with map_schema_errors(param):
        return await workers.run(function, *args, **kwargs)


@contextmanager
def map_schema_errors(param: str) -> Iterator[None]:
    """Map the errors of the schema worker to the API's, as `run_in_schema_worker` does."""
    try:
        yield
    except SchemaError as error:
        raise SchemaRejectedError(
            error.message,
            code=error.code,
            param=param,
            pointer=error.pointer,
            max_tokens=error.tokens,
        ) from None
    except WorkerBusyError as error:
        raise TooManyRequestsError(str(error)) from None
    except WorkerUnavailableError as error:
        raise SchemaWorkerUnavailableError(f"{error} The API's log says why.") from error


def _request_schemas(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the field of each schema, what holds it, and its name there.

    llama.cpp has two fields of its own.
    """
    response_format = body.get("response_format") or {}
    definition = response_format.get("json_schema")
    if isinstance(definition, dict) and "schema" in definition:
        yield "response_format", definition, "schema"
    if "schema" in response_format:
        yield "response_format", response_format, "schema"
    if "json_schema" in body:
        yield "json_schema", body, "json_schema"
    for number, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if isinstance(function, dict) and function.get("parameters") is not None:
            yield f"tools.{number}", function, "parameters"
