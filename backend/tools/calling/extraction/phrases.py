"""Find the phrases of a question that may be the value of a string parameter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion
from backend.tools.calling.extraction.tokens import Token
from backend.tools.calling.words import normalize

MAX_PHRASE_WORDS = 6
MAX_PHRASES = 100
# Between two names these belong to one: "Legend of Zelda", "Mont Blanc du Tacul".
_LINKS = frozenset({"of", "the", "de", "la", "du", "von", "van", "&"})
BOUNDARIES = frozenset(
    """
    a an the this that these those my your our their his her its some any all each every both
    i you we they he she it me us them who whom whose which what when where why how
    is are was were be been being am do does did can could will would shall should may might must
    have has had in on at by for from to of with within without into onto over under about above
    below between among through during before after since until against near as than per via and or
    but nor so if then also not no please using use based including include given there here
    find get give show tell calculate compute determine provide list fetch retrieve look search
    want need like know help let make much many i'd i'm i've
    """.split()  # noqa: SIM905
)
# A request begins with one of these, which are no part of a value there.
_COMMANDS = frozenset(
    """
    add put set start stop create make book order buy play send text call remind schedule delete
    remove open close turn switch convert translate compare check update generate save write draft
    analyze predict solve train run sort summarize explain describe estimate plan track
    """.split()  # noqa: SIM905
)
_COMMAND_STARTS = frozenset({"to", "please", "and", "you", "then", ".", "?", "!", ","})


@dataclass(frozen=True)
class Phrase:
    """A part of a question, from its first to its last token."""

    text: str
    first: int
    last: int
    is_quoted: bool = False

    @cached_property
    def normalized(self) -> str:
        return normalize(self.text)

    def overlaps(self, other: "Phrase") -> bool:
        return self.first <= other.last and other.first <= self.last


def find_phrases(text: TokenizedQuestion) -> list[Phrase]:
    """Return quoted texts, names, and the words between boundaries, in the order of the text."""
    tokens = text.tokens
    phrases = {
        (index, index): Phrase(str(token.value), index, index, is_quoted=True)
        for index, token in enumerate(tokens)
        if token.kind == "quoted"
    }
    for run in [*_runs(tokens), *_names(tokens), *_linked(tokens)]:
        for first, last in _parts(run, tokens):
            phrases.setdefault((first, last), Phrase(text.between(first, last), first, last))
    return [phrases[span] for span in sorted(phrases)][:MAX_PHRASES]


def is_boundary(token: Token) -> bool:
    is_acronym = len(token.text) > 1 and token.text.isupper()  # "US" is not "us"
    return token.kind == "mark" or (token.lower in BOUNDARIES and not is_acronym)


def is_command(tokens: Sequence[Token], index: int) -> bool:
    """Return True for the verb that a request begins with."""
    is_start = index == 0 or tokens[index - 1].lower in _COMMAND_STARTS
    return is_start and tokens[index].lower in _COMMANDS


def _runs(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Yield the indices of the words between marks and boundary words."""
    run: list[int] = []
    for index, token in enumerate(tokens):
        is_part = token.kind in ("word", "number") and not is_boundary(token)
        if is_part and not is_command(tokens, index):
            run.append(index)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _names(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Yield the words of names with links, commas or colons: "Legend of Zelda", "Boston, MA"."""
    run: list[int] = []
    for index, token in enumerate(tokens):
        is_link = token.kind == "number" or token.lower in _LINKS or token.text in ",:"
        if token.is_name or (run and is_link):
            run.append(index)
        else:
            yield run
            run = []
    yield run


def _linked(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Yield words around "of": "theory of relativity"."""
    for index, token in enumerate(tokens[1:-1], start=1):
        if token.lower == "of":
            after = tokens[index + 1 : index + 4]
            run = [index - 1, index]
            for step, each in enumerate(after, start=1):
                if each.kind != "word" or is_boundary(each):
                    break
                run.append(index + step)
            yield run


def _parts(run: Sequence[int], tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield the first and last token of each phrase in a run."""
    for start, first in enumerate(run):
        for last in run[start : start + MAX_PHRASE_WORDS]:
            if (
                not _is_end(tokens[first])
                or tokens[last].kind == "mark"
                or is_boundary(tokens[last])
            ):
                continue
            yield first, last


def _is_end(token: Token) -> bool:
    return token.kind != "mark" and (not is_boundary(token) or token.text == "The")
