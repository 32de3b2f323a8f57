"""The words of a question that a search looks for, and how much each counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.files.retrieval.generic_words import GENERIC_STEMS
from backend.files.retrieval.words import Word, find_words

MAX_QUESTION_WORDS = 60  # different ones; further words are not searched for
_PREVIOUS_WEIGHT = 0.5
_GENERIC_IMPORTANCE = 0.25
_NAME_IMPORTANCE = 1.5
_STOP_WORDS = frozenset(
    """
    a about all also am an and any are as at be been being but by can could did do does doing for
    from had has have having he her hers him his how i if in into is it its me my no nor not of on
    or our ours she should so some such than that the their theirs them then there these they this
    those to too us very was we were what when where which while who whom whose why will with would
    you your yours s t d ll re ve m don didn doesn isn wasn
    according describe described explain give list mention mentioned please provide specific state
    stated statement tell
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class QuestionWord:
    """A word that is searched for: its form, its stem, and what it counts beside the others.

    Its importance is how much it says about what the question is about: less than 1 for a word of
    questions about anything, more for a name or a number.
    """

    form: str
    stem: str
    weight: float = 1.0
    importance: float = 1.0
    is_earlier: bool = False  # it is one of the question before

    @property
    def is_name(self) -> bool:
        """Return True for what is written like a name, and for numbers."""
        return self.importance == _NAME_IMPORTANCE


def question_words(question: str) -> list[QuestionWord]:
    """Return the different words of a question without stop words, or all if there are no others.

    A word that was asked for in several forms has its first one.
    """
    words: dict[str, QuestionWord] = {}
    for n, word in enumerate(find_words(question)):
        is_name = n > 0 and question[word.start].isupper()
        importance = _importance(word, is_name=is_name)
        words.setdefault(word.stem, QuestionWord(word.form, word.stem, importance=importance))
    content = [word for word in words.values() if word.form not in _STOP_WORDS]
    return (content or list(words.values()))[:MAX_QUESTION_WORDS]


def _importance(word: Word, *, is_name: bool) -> float:
    if word.stem in GENERIC_STEMS or word.form in _STOP_WORDS:
        return _GENERIC_IMPORTANCE
    return _NAME_IMPORTANCE if is_name or word.form[0].isdigit() else 1.0


def is_stop_word(form: str) -> bool:
    return form in _STOP_WORDS


def content_stems(text: str) -> set[str]:
    """Return the stems of a text's words without stop words."""
    return {word.stem for word in find_words(text) if word.form not in _STOP_WORDS}


def with_previous(
    words: Sequence[QuestionWord], previous: Sequence[QuestionWord]
) -> list[QuestionWord]:
    """Return the words of a question and those of the one before it, which count half."""
    stems = {word.stem for word in words}
    earlier = [
        replace(word, weight=word.weight * _PREVIOUS_WEIGHT, is_earlier=True)
        for word in previous
        if word.stem not in stems
    ]
    return [*words, *earlier][:MAX_QUESTION_WORDS]
