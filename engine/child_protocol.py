"""The protocol between the supervisor and the model's process."""

import json
from dataclasses import asdict, dataclass
from typing import Self

READY = "engine: ready"  # the log line of a loaded model
EXIT_MODEL_NOT_LOADED = 3  # the exit code if llama.cpp cannot load the model


@dataclass(frozen=True)
class ServeConfig:
    """What to serve, on which address, with which resources."""

    path: str
    model_id: str
    host: str
    port: int
    context: int
    threads: int
    parallel: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
