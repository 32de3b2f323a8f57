"""A question as it is searched for arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.tools.calling.stated.tokens import Token


@dataclass(frozen=True)
class Text:
    """A question, its tokens, and the stems of the name and description of the function."""

    question: str
    tokens: Sequence[Token]
    function_stems: frozenset[str]

    def between(self, first: int, last: int) -> str:
        """Return the text from one token to another."""
        return self.question[self.tokens[first].start : self.tokens[last].end]
