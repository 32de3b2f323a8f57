"""Add to a model's answer what it was given to read, and the passages that it resembles."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backend.completions.completion import Completion
from backend.files.answers.protocol import MAX_CITATIONS, Citation, Retrieval
from backend.files.answers.question import FileQuestion
from backend.files.retrieval.support import Similarity, SimilarSentences
from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.reasoning_separator import ReasoningSeparator

_ENVELOPE = ("id", "object", "created", "model")


@dataclass
class CitationWriter:
    """Rewrites the events of a completion, or its whole response.

    `smolchat.retrieval` comes before all text, the annotations are in the delta that ends the text,
    and what is counted of it follows. A `separator` rewrites them as well.
    """

    completion: Completion
    question: FileQuestion
    retrieval: Retrieval
    sentences: SimilarSentences | None  # of what the model was given to read
    message: MessageBuilder  # with the text that the answer continues
    separator: ReasoningSeparator | None = None
    # Returns the usage of a response of which this request was only the last, given its own.
    total_usage: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    _has_begun: bool = False

    def __post_init__(self) -> None:
        self.completion.details["retrieval"] = self.retrieval.model_dump(mode="json")

    def rewrite(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield an event of a stream, which is changed in place, and those that are added."""
        head = {name: event[name] for name in _ENVELOPE if name in event} | {"choices": []}
        if not self._has_begun:
            self._has_begun = True
            yield head | {"smolchat": {"retrieval": self.completion.details["retrieval"]}}
        self.message.add(event)
        self._add_usage(event)
        events: Iterable[dict[str, Any]] = (event,)
        if self.separator:
            events = self.separator.rewrite(event)
        for each in events:
            last = [one for one in as_dict_list(each.get("choices")) if one.get("finish_reason")]
            for choice in last:
                choice["delta"] = as_dict(choice.get("delta")) | self._finish()
            yield each
            if last and self.retrieval.sentences is not None:
                counts = self.retrieval.model_dump(include={"supported", "sentences"})
                yield head | {"smolchat": {"retrieval": counts}}

    def rewrite_response(self, response: dict[str, Any]) -> None:
        """Rewrite a whole response in place."""
        self.message.add(response)
        self._add_usage(response)
        if self.separator:
            self.separator.rewrite_response(response)
        fields = self._finish()
        for choice in as_dict_list(response.get("choices")):
            choice["message"] = as_dict(choice.get("message")) | fields
        self.completion.extensions["retrieval"] = self.completion.details["retrieval"]

    def _add_usage(self, response: dict[str, Any]) -> None:
        usage = as_dict(response.get("usage"))
        if usage and self.total_usage:
            total = self.total_usage(usage)
            if None not in total.values():
                response["usage"] = usage | total | {"total_tokens": sum(total.values())}

    def _finish(self) -> dict[str, Any]:
        """Return the annotations of the answer, once it is complete."""
        citations = list[Citation]()
        if self.sentences is not None:
            content = self.message.message_fields()["content"]
            similar, count = self.sentences.find(content, self.question.text)
            citations = [self._cite(each) for each in similar[:MAX_CITATIONS]]
            self.retrieval.supported, self.retrieval.sentences = len(similar), count
        annotations = [citation.as_dict() for citation in citations]
        retrieval = self.retrieval.model_dump(mode="json")
        self.completion.details |= {"annotations": annotations, "retrieval": retrieval}
        return {"annotations": annotations}

    def _cite(self, similar: Similarity) -> Citation:
        hit = similar.hit
        passage = hit.passage_at(similar.start)
        return Citation(
            file_id=hit.file,
            filename=self.question.files.names[hit.file],
            index=similar.answer_end,
            start=similar.start,
            end=similar.end,
            quote=hit.text[similar.start - hit.start : similar.end - hit.start],
            page=passage.page,
            heading=passage.heading,
            match="similar_passage",
            share=round(similar.share, 2),
        )
