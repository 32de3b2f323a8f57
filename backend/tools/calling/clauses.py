"""Split a question into clauses, each of which may ask for another function."""

import re

MIN_CLAUSE_CHARACTERS = 8
_REQUESTS = (
    "what|how|who|when|where|which|is|are|can|could|find|get|give|show|tell|calculate|compute|"
    "convert|search|list|create|send|set|book|play|add|check|look"
)
_BREAK = re.compile(
    rf"(?<=[.;?!])\s+|\n+|,?\s+(?:and|then|and then|and also)\s+(?=(?:{_REQUESTS})\b)",
    re.IGNORECASE,
)


def split_question(question: str) -> list[str]:
    """Return the sentences and the requests joined by "and"; very short ones are left out."""
    return [
        clause.strip()
        for clause in _BREAK.split(question)
        if len(clause.strip()) >= MIN_CLAUSE_CHARACTERS
    ]
