"""The API: OpenAI-compatible chat completions in front of any model server."""

VERSION = "0.1.0"
