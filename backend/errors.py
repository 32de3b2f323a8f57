"""The API's errors, each with its HTTP status and its code in OpenAI's error shape.

SmolChatError                          500  internal_error
├── InvalidRequestError                400  invalid_request
│   ├── ContextLengthExceededError     400  context_length_exceeded
│   ├── ChatTemplateError              400  invalid_request
│   ├── UpgradeBodyLostError           400  invalid_request
│   ├── NothingToImportError           400  nothing_to_import
│   ├── ConversationFullError          400  conversation_full
│   ├── ConfirmationRequiredError      400  confirmation_required
│   ├── UnknownToolError               400  unknown_tool
│   ├── InvalidResumeError             400  invalid_resume
│   ├── UnsupportedContentError        400  unsupported_content
│   ├── InvalidImageError              400  invalid_image
│   ├── RemoteImageError               400  remote_image
│   ├── TooManyImagesError             400  too_many_images
│   └── TooManyChoicesError            400  invalid_request
├── UnauthorizedError                  401  invalid_api_key
├── HostNotAllowedError                403  host_not_allowed
├── OriginNotAllowedError              403  origin_not_allowed
├── ModelNotFoundError                 404  model_not_found
├── ConversationNotFoundError          404  conversation_not_found
├── MessageNotFoundError               404  message_not_found
├── FolderNotFoundError                404  folder_not_found
├── PresetNotFoundError                404  preset_not_found
├── ToolNotFoundError                  404  tool_not_found
├── McpServerNotFoundError             404  mcp_server_not_found
├── UploadedFileNotFoundError          404  file_not_found
├── ImageNotFoundError                 404  image_not_found
├── VectorStoreNotFoundError           404  vector_store_not_found
├── RequestTimeoutError                408  request_timeout
├── SlowClientError                    408  client_too_slow
├── AnswerStoppedError                 409  answer_stopped
├── MessageBeingWrittenError           409  message_being_written
├── FileNotReadError                   409  file_not_read
├── RequestTooLargeError               413  request_too_large
│   ├── FileTooLargeError              413  file_too_large
│   ├── ImageTooLargeError             413  image_too_large
│   └── FileStorageFullError           413  file_storage_full
├── UnsupportedMediaTypeError          415  unsupported_media_type
├── SchemaRejectedError                422  schema_invalid, schema_unsupported, schema_too_large,
│                                           schema_unsatisfiable
├── RequestHeadTooLargeError           431  request_head_too_large
├── ClientDisconnectedError            499  client_disconnected
├── SchemaWorkerUnavailableError       500  schema_worker_failed
├── NotReadyError                      503  not_ready
├── ShuttingDownError                  503  shutting_down
├── ServerBusyError                    503  server_busy
├── TooManyRequestsError               429  too_many_requests
├── DatabaseUnavailableError           503  store_unavailable
├── FileStorageError                   503  file_storage_failed
├── SearchTimeoutError                 503  search_timeout
├── DetachedTimeoutError               504  detached_timeout
└── ModelServerError                   502  model_server_failed
    ├── ModelServerRouteNotFoundError  502  model_server_failed
    ├── ModelServerUnreachableError    503  model_server_unreachable
    ├── ModelLoadingError              503  model_loading
    ├── ModelLoadFailedError           503  model_load_failed
    ├── ModelServerTimeoutError        504  model_server_timeout
    ├── ModelOutputUnreadableError     502  model_output_invalid
    ├── OutputTruncatedError           502  output_truncated
    └── ValidationFailedError          502  validation_failed

A message says what happened, to what, and what to try next. It never quotes a model server's log.
"""

from typing import Any, ClassVar, Self

from pydantic_core import to_json


class SmolChatError(Exception):
    """An error that the client receives in OpenAI's error shape."""

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details = details

    def copy_with(self, **details: Any) -> Self:
        """Return the same error with more details. Several requests may share this one."""
        copy = type(self).__new__(type(self), *self.args)
        vars(copy).update(vars(self), details=self.details | details)
        return copy

    def payload(self) -> dict[str, Any]:
        """Return the error as a response body in OpenAI's shape."""
        error_type = "invalid_request_error" if self.status < 500 else "server_error"
        error = {
            "message": self.message,
            "type": error_type,
            "code": self.code,
            "param": self.param,
        }
        return {"error": error | self.details}

    def sse_event(self) -> bytes:
        """Return the error as the event that ends a stream.

        The leading blank lines end an event that may have been left open.
        """
        return b"\n\ndata: " + to_json(self.payload()) + b"\n\n"


class InvalidRequestError(SmolChatError):
    """The request is invalid; `refusal` is what the model server said: never sent."""

    status = 400
    code = "invalid_request"
    refusal: str = ""


class ContextLengthExceededError(InvalidRequestError):
    """The prompt does not fit; `details` holds n_prompt_tokens and n_ctx if known.

    `param` is "max_tokens" if the prompt itself would fit.
    """

    code = "context_length_exceeded"


class ChatTemplateError(InvalidRequestError):
    """The model's chat template does not accept these messages as they are."""


class UpgradeBodyLostError(InvalidRequestError):
    """The request asked to upgrade to another protocol, and its body was lost."""


class NothingToImportError(InvalidRequestError):
    """No chat of a file can be imported; `left_out` in the details has the reasons."""

    code = "nothing_to_import"


class ConversationFullError(InvalidRequestError):
    """The conversation has as many messages as it may have."""

    code = "conversation_full"


class ConfirmationRequiredError(InvalidRequestError):
    """The request would delete much, and does not have the value that confirms it."""

    code = "confirmation_required"


class UnknownToolError(InvalidRequestError):
    """The request names a tool that the API does not have."""

    code = "unknown_tool"


class InvalidResumeError(InvalidRequestError):
    """What a run resumes with does not fit what the thread waits for."""

    code = "invalid_resume"


class UnsupportedContentError(InvalidRequestError):
    """The model takes no images; `models` in the details has the ids of those that do, if known."""

    code = "unsupported_content"


class InvalidImageError(InvalidRequestError):
    """An image is damaged, of another kind, or has too many pixels; `param` is its part."""

    code = "invalid_image"


class RemoteImageError(InvalidRequestError):
    """An image is given as the URL of another server."""

    code = "remote_image"


class TooManyImagesError(InvalidRequestError):
    """The newest message has more images than a request may have."""

    code = "too_many_images"


class TooManyChoicesError(InvalidRequestError):
    """The request's `n` exceeds the `max_choices` that the model server returns at once."""

    def __init__(self, message: str, *, max_choices: int) -> None:
        super().__init__(message, param="n")
        self.max_choices = max_choices


class UnauthorizedError(SmolChatError):
    status = 401
    code = "invalid_api_key"


class HostNotAllowedError(SmolChatError):
    status = 403
    code = "host_not_allowed"


class OriginNotAllowedError(SmolChatError):
    status = 403
    code = "origin_not_allowed"


class ModelNotFoundError(SmolChatError):
    status = 404
    code = "model_not_found"


class ConversationNotFoundError(SmolChatError):
    status = 404
    code = "conversation_not_found"


class MessageNotFoundError(SmolChatError):
    status = 404
    code = "message_not_found"


class FolderNotFoundError(SmolChatError):
    status = 404
    code = "folder_not_found"


class PresetNotFoundError(SmolChatError):
    status = 404
    code = "preset_not_found"


class ToolNotFoundError(SmolChatError):
    status = 404
    code = "tool_not_found"


class McpServerNotFoundError(SmolChatError):
    status = 404
    code = "mcp_server_not_found"


class UploadedFileNotFoundError(SmolChatError):
    status = 404
    code = "file_not_found"


class ImageNotFoundError(SmolChatError):
    """No message has an image with this hash, or none has it any more."""

    status = 404
    code = "image_not_found"


class VectorStoreNotFoundError(SmolChatError):
    status = 404
    code = "vector_store_not_found"


class MessageBeingWrittenError(SmolChatError):
    """A message cannot be edited before its answer is over."""

    status = 409
    code = "message_being_written"


class FileNotReadError(SmolChatError):
    """The text of a file was asked for before it was read, or it could not be read."""

    status = 409
    code = "file_not_read"


class RequestTooLargeError(SmolChatError):
    status = 413
    code = "request_too_large"


class FileTooLargeError(RequestTooLargeError):
    """A file that is uploaded is larger than one may be."""

    code = "file_too_large"


class ImageTooLargeError(RequestTooLargeError):
    """An image of a message is larger than one may be."""

    code = "image_too_large"


class FileStorageFullError(RequestTooLargeError):
    """All files together would be larger, or more, than they may be."""

    code = "file_storage_full"


class RequestHeadTooLargeError(SmolChatError):
    status = 431
    code = "request_head_too_large"


class RequestTimeoutError(SmolChatError):
    """The client sends its request too slowly."""

    status = 408
    code = "request_timeout"


class SlowClientError(SmolChatError):
    """The client reads an answer more slowly than it is generated, which does not wait for it."""

    status = 408
    code = "client_too_slow"


class AnswerStoppedError(SmolChatError):
    """The answer was stopped by another request; what there is of it is stored."""

    status = 409
    code = "answer_stopped"


class ServerBusyError(SmolChatError):
    """There are too many connections, or the requests of all clients need too much memory."""

    status = 503
    code = "server_busy"


class UnsupportedMediaTypeError(SmolChatError):
    status = 415
    code = "unsupported_media_type"


class SchemaRejectedError(SmolChatError):
    """The schema cannot be used; `pointer` in the details is the location of the problem.

    If even the shortest answer is too long, `max_tokens` there is what it needs.
    """

    status = 422

    def __init__(
        self, message: str, *, code: str, param: str, pointer: str, max_tokens: int | None = None
    ) -> None:
        details = {} if max_tokens is None else {"max_tokens": max_tokens}
        super().__init__(message, param=param, pointer=pointer, **details)
        self.code = code


class ClientDisconnectedError(SmolChatError):
    """The client left before there was a response: for the log alone (nginx's status)."""

    status = 499
    code = "client_disconnected"


class SchemaWorkerUnavailableError(SmolChatError):
    """No worker process could be started to check a schema, and unchecked it is not sent."""

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
    """The database cannot be reached, or refused a query."""

    status = 503
    code = "store_unavailable"


class FileStorageError(SmolChatError):
    """The disk that uploaded files are stored on is full, or failed."""

    status = 503
    code = "file_storage_failed"


class SearchTimeoutError(SmolChatError):
    """A search took too long, alone or because others ran before it."""

    status = 503
    code = "search_timeout"


class DetachedTimeoutError(SmolChatError):
    """An answer whose client has left took too long."""

    status = 504
    code = "detached_timeout"


class ModelServerError(SmolChatError):
    """The model server failed; `is_reported` if it said so itself, in an error response."""

    status = 502
    code = "model_server_failed"
    is_reported: bool = False


class ModelServerRouteNotFoundError(ModelServerError):
    """The server answers but does not have this route: its routes may have another prefix."""


class ModelServerUnreachableError(ModelServerError):
    status = 503
    code = "model_server_unreachable"


class ModelLoadingError(ModelServerError):
    status = 503
    code = "model_loading"


class ModelLoadFailedError(ModelServerError):
    """The model server cannot load the model; the message says why, if that is known."""

    status = 503
    code = "model_load_failed"


class ModelServerTimeoutError(ModelServerError):
    status = 504
    code = "model_server_timeout"


class ModelOutputUnreadableError(ModelServerError):
    """The model wrote something that the model server could not parse. Another try may succeed."""

    code = "model_output_invalid"


class OutputTruncatedError(ModelServerError):
    """The last attempt was truncated; the details hold its `text` and all `attempts`."""

    code = "output_truncated"


class ValidationFailedError(ModelServerError):
    """No attempt matches the schema; the details hold the last `text` and all `attempts`."""

    code = "validation_failed"
