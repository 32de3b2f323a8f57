"""What an answer is waited for, in words."""

import pytest

from api.chat_chunk import Progress
from chat.answer_view import progress_label


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(), "Waiting for the first word …"),
        (Progress(phase="waiting", position=2), "In line, number 2 …"),
        (Progress(phase="waiting"), "In line …"),
        (Progress(phase="loading"), "The model is loading …"),
        (Progress(phase="reading", fraction=0.357), "Reading the prompt: 36% …"),
        (Progress(phase="reading"), "Reading the prompt …"),
        (Progress(phase="writing"), "Waiting for the first word …"),
        (Progress(phase="something new"), "Waiting for the first word …"),
    ],
)
def test_a_wait_is_named(progress: Progress, words: str) -> None:
    assert progress_label(progress) == words
