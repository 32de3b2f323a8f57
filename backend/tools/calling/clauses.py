"""Split a question that asks for several calls into one question for each."""


def split_question(question: str) -> list[str]:
    """Return the questions, each complete in itself, or only the question."""
    return [question]
