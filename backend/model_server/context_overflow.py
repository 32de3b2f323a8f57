"""Recognizes that a prompt does not fit the model's context, in each model server's words."""

import re

from backend.errors import ContextLengthExceededError
from backend.json_values import as_count

_CODES = re.compile(
    r"exceed_context_size_error|n_prompt_tokens|context_?(?:length|window|size)_?(?:exceeded|error)"
    r"|prompt_tokens_exceeded|prompt_too_long",
    re.IGNORECASE,
)
_SIZE_NAME = (
    r"(?:context[ _-]?(?:length|size|window|limit)|max_(?:model_len|seq_len|num_tokens|position\w+)"
    r"|maximum sequence length|model token limit)"
)
_WORDINGS = re.compile(
    # vLLM, OpenAI, xAI: This model's maximum context length is 4096 tokens
    r"\b(?:max(?:imum)?|model'?s?) (?:context|model|prompt) (?:length|size|window)"
    r"(?: is| of| only|:)* \(?\d"
    # llama.cpp, OpenAI, SGLang, LM Studio: exceeds the available context size
    rf"|\b(?:exceed\w*|(?:longer|larger|greater) than|reached) (?:\S+ ){{0,4}}?{_SIZE_NAME}"
    r"|\bnot fit (?:in\w* |within )?(?:the )?(?:model'?s )?context|\bcontext is full|> context\b"
    # llama.cpp, MiniMax: Context size has been exceeded, context window exceeds limit
    rf"|{_SIZE_NAME} (?:has been |is |was )?exceed|{_SIZE_NAME} (?:only supports|of only) \d"
    rf"|{_SIZE_NAME} (?:is |of )\d+ tokens?[,.;] (?:but|however)|less than max_seq_len"
    r"|configured context size is \d|\btoken limit exceeded"
    r"|context the overflows|context shift is disabled"
    # Anthropic, Bedrock, llama.cpp: prompt is too long; input is too large to process
    r"|\b(?:prompt|input(?: (?:text|tokens?|(?:token )?length))?|messages|conversation)"
    r"(?: \([^)]{1,60}\))? (?:is |are )?too (?:long|big)\b"
    r"|\binput(?: \(\d+ tokens\))? is too large to process"
    r"|\btoo (?:long to fit into|large for) (?:the |this )?model\b"
    # TGI: `inputs` tokens + `max_new_tokens` must be <= 4096
    r"|`inputs` (?:tokens \+|must have less than \d)"
    # Gemini, Vertex, SGLang, watsonx: The input token count (9) exceeds the maximum
    r"|\b(?:prompt|input|message)s? (?:token count|length|tokens)(?: of| is)?"
    r" ?\(?\d*(?: tokens)?\)? (?:cannot )?(?:exceed|but (?:the )?model (?:only )?supports)"
    r"|\b(?:prompt|input|request|messages) exceeds? (?:the )?max(?:imum)? (?:\w+ )?"
    r"(?:length|number of (?:input )?tokens)"
    r"|\btokens in the prompt cannot exceed"
    # Groq, Cerebras: Please reduce the length of the messages or completion
    r"|\breduce (?:the )?(?:length|number of tokens) (?:of|in) (?:the|your) (?:input )?"
    r"(?:messages|prompt)"
    # Cohere, AI21: too many tokens; Qwen: Range of input length should be [1, 9]
    r"|\btoo many (?:input |prompt )?tokens|\brange of input length should be"
    # vLLM subtracts the prompt from the context; -1 may be what the client sent
    r"|\bmax_tokens must be at least 1, got -(?!1\b)\d",
    re.IGNORECASE,
)
# A limit of tokens per minute, of characters, or of what the model may write.
_OTHER_LIMITS = re.compile(
    r"\bper[ -](?:min|hour|day|second)|rate[ _-]?limit|throttl|\b[TR]P[MD]\b|\bquota\b|wait before"
    r"|\b(?:daily|monthly|characters|bytes|[KM]B)\b|at most \d+ completion tokens"
    r"|number of output tokens",
    re.IGNORECASE,
)
_NUMBER = r"(?<!\d)(\d(?:[\d,_]{0,20}\d)?)(?!,?\d)"
_SIZE = rf"(?: size| of| is| only| supports|:)* ?\(?{_NUMBER}(?! [+>])"
_LIMITS = re.compile(
    rf"\bmax(?:imum)? (?:allowed )?(?:\w+ )?(?:length|size){_SIZE}"
    rf"|\b(?:context|tokens?|configured)[ _](?:length|size|window|limit){_SIZE}"
    rf"|\bmax_(?:model_len|seq_len|num_tokens|position\w+){_SIZE}|\bcontext \({_NUMBER}"
    rf"|\bn_ctx: ?{_NUMBER}|> {_NUMBER}|<= {_NUMBER}|\bmax {_NUMBER}"
    rf"|\bless than {_NUMBER} tokens|\btokens allowed \({_NUMBER}|\bmodel with {_NUMBER}"
    rf"|\b(?:up to|limit is|limit of|for this model is|cannot exceed|max is) {_NUMBER}"
    rf"|\bmax input tokens: {_NUMBER}|\binput length should be \[\d+, ?{_NUMBER}",
    re.IGNORECASE,
)
# Said instead of the prompt's tokens: `max_tokens` alone is more than the context.
_MAX_TOKENS = re.compile(
    r"\bmax_(?:\w{1,20}_)?tokens\b[^.]{0,60} (?:too large|(?:greater|larger) than|exceeds)"
    r"|\bfewer output tokens",
    re.IGNORECASE,
)
# The first that matches counts: a total comes after its parts.
_PROMPTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bresulted in {_NUMBER}",
        rf"{_NUMBER} (?:tokens )?(?:in the messages|in your prompt|from the input|of text input)",
        rf"{_NUMBER} input tokens|\b(?:given:|but|got) {_NUMBER}",
        rf"\b(?:request|input|prompt)s? \((?:(?:total )?length )?{_NUMBER}",
        rf"(?<!maximum )(?<!max )(?<!allowed )\b(?:input|prompt) length:? ?\(?{_NUMBER}",
        rf"\b(?:has|contains|number of (?:input|prompt) tokens:?) {_NUMBER}",
        rf"\bfirst {_NUMBER} tokens|\bn_keep: {_NUMBER}",
        rf"\btoo (?:long|many tokens): {_NUMBER}|\blimit: {_NUMBER} \+",
        rf"\btoken count(?: of| is|:)? \(?{_NUMBER}",
        rf"\b(?:received|current length is|(?:prompt|input|requested)[_ ]tokens) \(?{_NUMBER}",
        rf"{_NUMBER} > {_NUMBER}",
    )
]


def context_overflow(text: str, counts: dict[str, int]) -> ContextLengthExceededError | None:
    """Return the error if `text` says that the prompt is too long, else None.

    `counts` are the numbers that the server gave apart from its text.
    """
    is_overflow = _CODES.search(text) or (_WORDINGS.search(text) and not _OTHER_LIMITS.search(text))
    if "n_prompt_tokens" not in counts and not is_overflow:
        return None
    counts = _counts_in(text) | counts
    prompt, limit = counts.get("n_prompt_tokens"), counts.get("n_ctx")
    fits_alone = prompt < limit if prompt and limit else bool(_MAX_TOKENS.search(text))
    return _overflow_error(counts, fits_alone=fits_alone)


def _counts_in(text: str) -> dict[str, int]:
    prompts = (match for pattern in _PROMPTS if (match := pattern.search(text)))
    matches = {"n_prompt_tokens": next(prompts, None), "n_ctx": _LIMITS.search(text)}
    counts = {}
    for name, match in matches.items():
        digits = next(filter(None, match.groups()), "") if match else ""
        if count := as_count(int(re.sub(r"\D", "", digits) or 0)):
            counts[name] = count
    return counts


def _overflow_error(counts: dict[str, int], *, fits_alone: bool) -> ContextLengthExceededError:
    """Return the error; the prompt `fits_alone` if it would fit with a smaller `max_tokens`."""
    sizes = ""
    if len(counts) == 2:
        sizes = f" ({counts['n_prompt_tokens']} tokens, limit {counts['n_ctx']})"
    # LangChain recognizes a context overflow by "prompt is too long".
    if fits_alone:
        return ContextLengthExceededError(
            f"The prompt is too long for the model's context together with max_tokens{sizes}. "
            "Lower max_tokens, shorten the prompt, or give the model a larger context.",
            param="max_tokens",
            **counts,
        )
    return ContextLengthExceededError(
        f"The prompt is too long for the model's context{sizes}. "
        "Shorten it, start a new chat, or give the model a larger context.",
        param="messages",
        **counts,
    )
