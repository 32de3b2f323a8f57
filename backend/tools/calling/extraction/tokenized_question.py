"""A question, split into tokens for the extraction of arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.extraction.times import is_time, wants_time
from backend.tools.calling.extraction.tokens import Token
from backend.tools.calling.words import split_words, stem


@dataclass(frozen=True)
class TokenizedQuestion:
    """A question, its tokens, and the stems of the name and description of the function."""

    question: str
    tokens: Sequence[Token]
    function_stems: frozenset[str]

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its words, and its numbers."""
        return frozenset(map(stem, split_words(self.question)))

    @cached_property
    def has_names(self) -> bool:
        """True unless the whole question is in lower case."""
        return any(token.is_name for token in self.tokens[1:])

    def between(self, first: int, last: int) -> str:
        """Return the text from one token to another."""
        return self.question[self.tokens[first].start : self.tokens[last].end]

    def asks_for(self, parameter: Parameter) -> bool:
        """Return True for a parameter that is required or named, and for a time if there is one."""
        is_named = parameter.name_stems and parameter.name_stems <= self.stems
        if parameter.is_required or is_named:
            return True
        return wants_time(parameter) and any(is_time(token.text) for token in self.tokens)
