"""Why no answer can be had for a schema."""


class SchemaError(Exception):
    """Something in a schema; `pointer` is the JSON pointer to it, "" the root."""

    code = "schema_invalid"

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message, pointer)  # both, so that it can be pickled
        self.message = message
        self.pointer = pointer


class SchemaInvalidError(SchemaError):
    """It is no JSON Schema."""


class SchemaUnsupportedError(SchemaError):
    """It is one, and has something that cannot be used here."""

    code = "schema_unsupported"


class SchemaTooLargeError(SchemaError):
    """It, or every answer that fits it, is too large."""

    code = "schema_too_large"


class SchemaUnsatisfiableError(SchemaError):
    """Nothing fits it."""

    code = "schema_unsatisfiable"
