"""What can go wrong, and how a client is told.

SmolChatError                          500  internal_error
├── InvalidRequestError                400  invalid_request
│   ├── ContextLengthExceededError     400  context_length_exceeded
│   ├── ChatTemplateError              400  invalid_request
│   ├── UpgradeError                   400  invalid_request
│   └── TooManyChoicesError            400  invalid_request
├── UnauthorizedError                  401  invalid_api_key
├── HostNotAllowedError                403  host_not_allowed
├── OriginNotAllowedError              403  origin_not_allowed
├── ModelNotFoundError                 404  model_not_found
├── ConversationNotFoundError          404  conversation_not_found
├── MessageNotFoundError               404  message_not_found
├── PresetNotFoundError                404  preset_not_found
├── RequestTooLargeError               413  request_too_large
├── UnsupportedMediaTypeError          415  unsupported_media_type
├── SchemaRefusedError                 422  schema_invalid, schema_unsupported, schema_too_large,
│                                           schema_unsatisfiable
├── SchemaWorkerError                  500  schema_worker_failed
├── NotReadyError                      503  not_ready
├── ShuttingDownError                  503  shutting_down
├── TooManyRequestsError               429  too_many_requests
├── StoreUnavailableError              503  store_unavailable
└── ModelServerError                   502  model_server_failed
    ├── UnknownRouteError              502  model_server_failed
    ├── ModelServerUnreachableError    503  model_server_unreachable
    ├── ModelLoadingError              503  model_loading
    ├── OutputTruncatedError           502  output_truncated
    ├── ValidationFailedError          502  validation_failed
    └── ModelServerTimeoutError        504  model_server_timeout

A message says what happened, to what, and what to try next. It never carries what a model server
wrote in its log.
"""

from typing import Any, ClassVar, Self

from pydantic_core import to_json


class SmolChatError(Exception):
    """Something that a client is told in OpenAI's error shape."""

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details = details

    def copy_with(self, **details: Any) -> Self:
        """Give the same error with more details. This one may be told to others, too."""
        other = type(self).__new__(type(self), *self.args)
        vars(other).update(vars(self), details=self.details | details)
        return other

    def payload(self) -> dict[str, Any]:
        """Give the error in OpenAI's shape."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "code": self.code, "param": self.param}
        return {"error": error | self.details}

    def sse_event(self) -> bytes:
        """Give the error as the event that ends a stream.

        The blank lines in front end an event that may have been left open.
        """
        return b"\n\ndata: " + to_json(self.payload()) + b"\n\n"


class InvalidRequestError(SmolChatError):
    status = 400
    code = "invalid_request"


class ContextLengthExceededError(InvalidRequestError):
    """The prompt does not fit; `details` holds n_prompt_tokens and n_ctx where known."""

    code = "context_length_exceeded"


class UnauthorizedError(SmolChatError):
    status = 401
    code = "invalid_api_key"


class HostNotAllowedError(SmolChatError):
    status = 403
    code = "host_not_allowed"


class OriginNotAllowedError(SmolChatError):
    status = 403
    code = "origin_not_allowed"


class ChatTemplateError(InvalidRequestError):
    """The model's template does not take these messages as they are."""


class UpgradeBodyLostError(InvalidRequestError):
    """The request asked for another protocol, and its body was lost with that."""


class TooManyChoicesError(InvalidRequestError):
    """More answers were asked for than the model server gives at once: `most`."""

    def __init__(self, message: str, *, most: int) -> None:
        super().__init__(message, param="n")
        self.max_choices = most


class ModelNotFoundError(SmolChatError):
    status = 404
    code = "model_not_found"


class ConversationNotFoundError(SmolChatError):
    status = 404
    code = "conversation_not_found"


class MessageNotFoundError(SmolChatError):
    status = 404
    code = "message_not_found"


class PresetNotFoundError(SmolChatError):
    status = 404
    code = "preset_not_found"


class RequestTooLargeError(SmolChatError):
    status = 413
    code = "request_too_large"


class UnsupportedMediaTypeError(SmolChatError):
    status = 415
    code = "unsupported_media_type"


class SchemaRejectedError(SmolChatError):
    """No answer can be had for this schema; `pointer` in the details says where it is at fault."""

    status = 422

    def __init__(self, message: str, *, code: str, param: str, pointer: str) -> None:
        super().__init__(message, param=param, pointer=pointer)
        self.code = code


class SchemaWorkerUnavailableError(SmolChatError):
    """No process starts to look through a schema, and unseen none is sent on."""

    code = "schema_worker_failed"


class NotReadyError(SmolChatError):
    status = 503
    code = "not_ready"


class ShuttingDownError(SmolChatError):
    status = 503
    code = "shutting_down"


class TooManyRequestsError(SmolChatError):
    status = 429
    code = "too_many_requests"


class DatabaseUnavailableError(SmolChatError):
    """The database is not to be had, or does not take what it is given."""

    status = 503
    code = "store_unavailable"


class ModelServerError(SmolChatError):
    status = 502
    code = "model_server_failed"


class ModelServerRouteNotFoundError(ModelServerError):
    """There is a server, and it has no such route: its routes may be elsewhere."""


class ModelServerUnreachableError(ModelServerError):
    status = 503
    code = "model_server_unreachable"


class ModelLoadingError(ModelServerError):
    status = 503
    code = "model_loading"


class ModelServerTimeoutError(ModelServerError):
    status = 504
    code = "model_server_timeout"


class OutputTruncatedError(ModelServerError):
    """The last attempt was cut off; the details hold its `text` and all `attempts`."""

    code = "output_truncated"


class ValidationFailedError(ModelServerError):
    """No attempt fits the schema; the details hold the last `text` and all `attempts`."""

    code = "validation_failed"
