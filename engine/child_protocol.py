"""What the supervisor and the model's process say to each other."""

import json
from dataclasses import asdict, dataclass
from typing import Self

READY = "engine: ready"  # the line that says that the model is loaded and answers
EXIT_MODEL_NOT_LOADED = 3  # the exit code that says that it cannot be


@dataclass(frozen=True)
class ServeConfig:
    """What to serve, where, and with how much of the machine."""

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
