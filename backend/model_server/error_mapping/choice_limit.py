"""Recognizes that a request asks for more choices (`n`) than a model server returns at once."""

import re

from backend.errors import TooManyChoicesError

_NAMES_N = re.compile(
    r"(?<![\w.-])[\"'`]?n[\"'`]?(?=(?: value)? ?(?::|=|>|\(|must|should|has to|cannot|is |can |"
    r"does not|parameter))|\bn_cmpl\b|(?:candidate|choice)s?[ _]?count",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:<= ?|≤ ?|at most |no more than |less than or equal to |up to |between 1 and |\[1, ?"
    r"|maximum (?:value )?(?:of |is )?|greater than (?!or equal|0\b)|only n ?= ?|default \("
    r"|must be (?:equal to |set to )?|exceed )([1-9]\d{0,3})\b",
    re.IGNORECASE,
)
_ONLY_ONE = re.compile(
    r"only one (?:completion |chat )?(?:choice|candidate|completion)"
    r"|multiple (?:choices|candidates|completions) (?:is|are) not"
    r"|(?:does not support|unsupported:?) (?:the )?[\"'`]?n[\"'`]?(?: ?> ?1| parameter)"
    r"|(?<![\w.-])n ?> ?1 is not supported",
    re.IGNORECASE,
)


def choice_limit(param: str | None, message: str) -> TooManyChoicesError | None:
    """Return the error if `message`, which is about the field `param`, says how many are allowed.

    llama.cpp: "Field 'n': Value must be between 1 <= value <= 4"; Groq: "'n' : number must be at
    most 1"; DeepSeek: "Invalid n value (currently only n = 1 is supported)"; vLLM: "n must be 1
    when using greedy sampling".
    """
    limit = 1 if _ONLY_ONE.search(message) else 0
    names_n = _NAMES_N.search(message)
    if not limit and (param == "n" or names_n):
        # "only n = 1" has a word before the name
        match = _LIMIT.search(message, max(names_n.start() - len("only "), 0) if names_n else 0)
        limit = int(match[1]) if match else 0
    if not limit:
        return None
    choices = "choice" if limit == 1 else "choices"
    return TooManyChoicesError(
        f"The model server returns at most {limit} {choices} per request.", max_choices=limit
    )
