"""Chat requests shared by tests."""

from typing import Any

MODEL_ID = "ai/smollm2:latest"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}
