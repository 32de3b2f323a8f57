"""The reasons why a schema is rejected.

SchemaError
├── SchemaInvalidError
├── SchemaUnsupportedError
├── SchemaTooLargeError
└── SchemaUnsatisfiableError
"""


class SchemaError(Exception):
    """An error at `pointer` in a schema, a JSON pointer; "" is the root."""

    code = "schema_invalid"

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message, pointer)  # both, so that it can be pickled
        self.message = message
        self.pointer = pointer


class SchemaInvalidError(SchemaError):
    """The value is not a JSON Schema."""


class SchemaUnsupportedError(SchemaError):
    """The schema uses something that is not supported."""

    code = "schema_unsupported"


class SchemaTooLargeError(SchemaError):
    """The schema, or every value that is valid against it, is too large."""

    code = "schema_too_large"


class SchemaUnsatisfiableError(SchemaError):
    """No value is valid against the schema."""

    code = "schema_unsatisfiable"
