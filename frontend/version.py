"""The version of the page, which may differ from the API's."""

VERSION = "0.1.0"
