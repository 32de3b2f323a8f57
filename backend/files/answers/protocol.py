"""What an answer from files says about itself: what was read, and the places that it cites."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

Strategy = Literal["quotes", "passages", "whole", "summarise", "mentions", "count", "first", "last"]
MAX_CITATIONS = 200  # of one answer


def _is_none(value: object) -> bool:
    return value is None


class RetrievedPassage(BaseModel):
    """A part of a file that was read for an answer: `text` is its `start:end`."""

    file_id: str
    filename: str
    start: int
    end: int
    page: int | None = None
    heading: str | None = None
    score: Annotated[
        float | None, Field(description="How well it matches the question, unbounded.")
    ] = None
    text: Annotated[str | None, Field(description="Null if it is the whole text of the file.")] = (
        None
    )


class SuggestedTask(BaseModel):
    """A question that no few passages can answer seems to ask for this."""

    task: Literal["summarise", "mentions", "count", "first", "last"]
    phrase: str | None = None
    n: int | None = None


class UnreadFile(BaseModel):
    """A file of a collection that could not be searched, since it has not been read."""

    file_id: str
    filename: str
    status: Literal["in_progress", "failed"]


class Retrieval(BaseModel):
    """`smolchat.retrieval`: how an answer came about, and how much of the files was read."""

    strategy: Strategy
    found: Annotated[
        bool, Field(description="False if the files do not say: then no model was asked.")
    ] = True
    passages: Annotated[
        list[RetrievedPassage],
        Field(description="What was read, or sent to the model, in reading order."),
    ] = []
    files: Annotated[int, Field(description="How many files were searched.")]
    read: Annotated[int, Field(description="How many passages were read.")]
    of: Annotated[int, Field(description="How many passages these files have.")]
    supported: Annotated[
        int | None,
        Field(
            description="How many sentences of the model's answer resemble a sentence that it was "
            "given. That proves nothing."
        ),
    ] = None
    sentences: Annotated[
        int | None, Field(description="How many sentences the model's answer has.")
    ] = None
    task: Annotated[str | None, Field(description="The task that was asked for.")] = None
    suggested_task: SuggestedTask | None = None
    nearest: Annotated[
        RetrievedPassage | None,
        Field(description="If nothing was found, the passage that comes nearest."),
    ] = None
    total: Annotated[
        int | None,
        Field(description=f"How many mentions there are, of which {MAX_CITATIONS} are cited."),
    ] = None
    unread: Annotated[
        list[UnreadFile],
        Field(description="Files of the collections that were left out, at most 20 of them."),
    ] = []


class Citation(BaseModel):
    """OpenAI's `file_citation` with the place in the file: `quote` is its text's `start:end`."""

    type: Literal["file_citation"] = "file_citation"
    file_id: str
    filename: str
    index: Annotated[int, Field(description="Where in the content it belongs, in code points.")]
    start: int
    end: int
    quote: str
    page: int | None = None
    heading: str | None = None
    match: Annotated[
        Literal["quote", "mention", "similar_passage"],
        Field(
            description="`similar_passage`: the sentence of the files that shares most words with "
            "a sentence of the model's, besides those of the question."
        ),
    ]
    share: Annotated[
        float | None,
        Field(description="Of a similar passage: the share of these words.", exclude_if=_is_none),
    ] = None

    def as_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
