"""The progress label of an answer before its first token."""

import pytest

from api.chat_chunk import Progress
from chat.answer_view import progress_label


@pytest.mark.parametrize(
    ("progress", "label"),
    [
        (Progress(), "Waiting for the first token…"),
        (Progress(phase="waiting", position=2), "Queued, position 2…"),
        (Progress(phase="waiting"), "Queued…"),
        (Progress(phase="loading"), "Loading the model…"),
        (Progress(phase="reading", fraction=0.357), "Processing the prompt… 36%"),
        (Progress(phase="reading"), "Processing the prompt…"),
        (Progress(phase="writing"), "Waiting for the first token…"),
        (Progress(phase="something new"), "Waiting for the first token…"),
    ],
)
def test_progress_label_names_each_phase(progress: Progress, label: str) -> None:
    assert progress_label(progress) == label
