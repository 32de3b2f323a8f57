"""Schemas in a request, looked through before anything else has to do with them."""

from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from backend.errors import SchemaRejectedError, SchemaWorkerUnavailableError, TooManyRequestsError
from backend.json_schema.errors import SchemaError
from backend.json_schema.limits import check_passthrough_schema
from backend.json_schema.worker import WorkerBusyError, WorkerPool, WorkerUnavailableError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


_RAW_GRAMMAR = (
    "A grammar may hold or end the model server, so none is taken. Send a JSON Schema in "
    "response_format, or set SMOLCHAT_RAW_GRAMMAR=true where every client is trusted."
)


async def check_request_schemas(
    body: dict[str, Any], worker: WorkerPool, *, takes_grammar: bool
) -> None:
    """Look through every schema that the model server would compile.

    Raises:
        SchemaRefusedError: one may not be sent; 600 bytes of it can end a model server.
    """
    if body.get("grammar") and not takes_grammar:
        raise SchemaRejectedError(
            _RAW_GRAMMAR, code="schema_unsupported", param="grammar", pointer=""
        )
    for param, schema in _request_schemas(body):
        await run_in_schema_worker(worker, param, check_passthrough_schema, schema)


async def run_in_schema_worker(
    worker: WorkerPool,
    param: str,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Have a worker do it; what it has against a schema becomes ours.

    Raises:
        SchemaRefusedError: no answer can be had for the schema.
        TooManyRequestsError: too many schemas wait already.
        SchemaWorkerError: there is nobody to look through it.
    """
    try:
        return await worker.run(function, *args, **kwargs)
    except SchemaError as error:
        raise SchemaRejectedError(
            error.message, code=error.code, param=param, pointer=error.pointer
        ) from None
    except WorkerBusyError as error:
        raise TooManyRequestsError(str(error)) from None
    except WorkerUnavailableError as error:
        raise SchemaWorkerUnavailableError(f"{error} The API's log says why.") from error


def _request_schemas(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    wanted = body.get("response_format") or {}
    named = wanted.get("json_schema")
    if isinstance(named, dict) and "schema" in named:
        yield "response_format", named["schema"]
    if "schema" in wanted:  # llama.cpp's own way to say it, as is the next
        yield "response_format", wanted["schema"]
    if "json_schema" in body:
        yield "json_schema", body["json_schema"]
    for number, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if isinstance(function, dict) and function.get("parameters") is not None:
            yield f"tools.{number}", function["parameters"]
