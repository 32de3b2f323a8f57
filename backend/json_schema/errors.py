"""The reasons why a schema is rejected.

SchemaError
├── SchemaInvalidError
├── SchemaUnsupportedError
│   └── SchemaCrashError
├── SchemaTooLargeError
│   └── SchemaTimeoutError
└── SchemaUnsatisfiableError
"""


class SchemaError(Exception):
    """An error at `pointer` in a schema, a JSON pointer; "" is the root."""

    code = "schema_invalid"
    tokens: int | None = None

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message, pointer)  # both, so that it can be pickled
        self.message = message
        self.pointer = pointer


class SchemaInvalidError(SchemaError):
    """The value is not a JSON Schema."""


class SchemaUnsupportedError(SchemaError):
    """The schema uses something that is not supported."""

    code = "schema_unsupported"


class SchemaCrashError(SchemaUnsupportedError):
    """The worker process died of the schema, mostly as it takes too much memory."""


class SchemaTooLargeError(SchemaError):
    """The schema, or every value that is valid against it, is too large.

    `tokens` is the `max_tokens` that the shortest value needs, if that is the reason.
    """

    code = "schema_too_large"

    def __init__(self, message: str, pointer: str = "", tokens: int | None = None) -> None:
        super().__init__(message, pointer)
        self.args = (message, pointer, tokens)  # so that it can be pickled
        self.tokens = tokens


class SchemaTimeoutError(SchemaTooLargeError):
    """To process the schema takes too long."""


class SchemaUnsatisfiableError(SchemaError):
    """No value is valid against the schema."""

    code = "schema_unsatisfiable"
