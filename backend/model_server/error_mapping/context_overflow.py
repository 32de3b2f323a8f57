"""Recognizes that a prompt does not fit the model's context, in each model server's words."""

import re

from backend.errors import ContextLengthExceededError
from backend.json_values import as_count

_CODES = re.compile(
    r"exceed_context_size_error|n_prompt_tokens|context_?(?:length|window|size)_?(?:exceeded|error)"
    r"|exceeded_?context_?window|tokens_limit_reached"
    r"|\b(?:prompt_tokens_exceeded|(?:prompt|input)_?too_?long)(?:_?error)?\b",
    re.IGNORECASE,
)
_SIZE_SETTING = (
    r"(?:max_(?:model_len|seq_len|num_tokens|position\w+|kv_size|(?:input|total|prompt)_(?:tokens|len\w*))"
    r"|n_ctx|num_ctx|session_len)"
)
_SIZE_NAME = (
    rf"(?:context[ _-]?(?:length|size|window|limit)|{_SIZE_SETTING}|max(?:imum)? sequence length"
    r"|model token limit|(?:KV|cache|dimension) size)"
)
_PROMPT_NAME = r"(?:prompts?|inputs?|requests?|messages?|conversation)(?: text| history)?"
_EXCEEDS = r"(?:exceed\w*|(?:longer|larger|bigger|greater|more) than|over the|>)"
_WORDINGS = re.compile(
    # vLLM, OpenAI, xAI: This model's maximum context length is 4096 tokens
    r"\b(?:max(?:imum)?|model'?s?) (?:context|model|prompt) (?:length|size|window)"
    r"(?: is| of| only|:)* \(?\d"
    # llama.cpp, OpenAI, SGLang, LM Studio: exceeds the available context size
    rf"|(?:\b|(?=>))(?:{_EXCEEDS}|reached) (?:\S+ ){{0,4}}?{_SIZE_NAME}"
    rf"|\b(?:{_EXCEEDS}|too (?:long|large|big) for) (?:(?:the|this) )?(?:model'?s? )?context\b"
    r"|\bfit (?:\d+ tokens )?(?:in\w* |within )?(?:(?:the|a) )?(?:model'?s )?context"
    r"|> context\b|\bcontext is full|\bKV cache is full|find a KV slot|free space in the KV cache"
    # llama.cpp, MiniMax: Context size has been exceeded, context window exceeds limit
    rf"|{_SIZE_NAME} (?:of \d+ |\([^)]{{1,40}}\) )?(?:has been |is |was )?(?:exceed|reached)"
    r"|\bmodel context exceeded"
    rf"|{_SIZE_NAME} cannot hold\b"
    rf"|{_SIZE_NAME} (?:is |of )\d+ tokens?[,.;] (?:but|however)|less than max_seq_len"
    r"|\bcontext (?:window )?(?:is limited to|holds) \d|\btokens of context\b"
    r"|configured context size is \d|\btoken limit exceeded"
    r"|context shift is disabled"
    # TabbyAPI
    r"|\bjob requires \d+ pages \(only \d+ available"
    # Anthropic, Bedrock, llama.cpp: prompt is too long; input is too large to process
    r"|\b(?:prompt|inputs?(?: (?:text|tokens?|(?:token )?length))?|messages|conversation|history)"
    r"(?: \([^)]{1,60}\))? (?:is |are )?too (?:long|big)\b"
    r"|\binput(?: \(\d+ tokens\))? is too large to process"
    r"|(?<!context size )\btoo (?:long to fit into|large for|long for) (?:the |this )?model\b"
    # GitHub Models: Request body too large for gpt-4o model. Max size: 8000 tokens.
    r"|\brequest (?:body )?(?:is )?too (?:long|large)\b.{0,80}\d tokens"
    # TGI: `inputs` tokens + `max_new_tokens` must be <= 4096
    r"|\binputs`? (?:tokens \+|must have less than \d)"
    r"|\binput (?:to be|(?:should|must|can) (?:be|have)) at most \d+ tokens"
    # Gemini, Vertex, SGLang, watsonx: The input token count (9) exceeds the maximum
    r"|\b(?:prompt|input|message)s? (?:token count|(?:sequence )?length|tokens)(?: of| is)?"
    rf" ?\(?\d*(?: tokens)?\)? (?:(?:is |are |cannot )?{_EXCEEDS}"
    r"|but (?:the )?model (?:only )?supports)"
    rf"|\b{_PROMPT_NAME} (?:has |have )?exceed(?:s|ed)? (?:(?:the|this) )?(?:model'?s? )?"
    r"(?:max(?:imum)? (?:(?:\w+ )?(?:length|limit)|number of (?:input )?tokens)|\d+ tokens)"
    r"|\d tokens,? (?:which )?exceeds? (?:the )?(?:max\w* )?limit"
    r"|\b(?:total|input|prompt|requested) tokens exceed the (?:model|max)"
    r"|\bin the prompt \(\d+\).{0,60} exceeds? the model"
    # Groq, Cerebras: Please reduce the length of the messages or completion
    r"|\breduce (?:the )?(?:length|number of tokens) (?:of|in) (?:the|your) (?:input )?"
    r"(?:messages|prompt)"
    # Cohere, AI21: too many tokens; Qwen: Range of input length should be [1, 9]
    r"|\btoo many (?:input |prompt )?tokens|\brange of input length should be"
    # vLLM subtracts the prompt from the context; -1 may be what the client sent
    r"|\bmax_tokens must be at least 1, got -(?!1\b)\d"
    # Chinese: the input is longer than the context
    r"|超[过出].{0,12}(?:上下文|最大长度)|上下文.{0,6}超[过出]|Prompt ?超长",
    re.IGNORECASE,
)
# Everything else that says of a prompt, in one line, that it is more than the context.
_CONTEXT = re.compile(
    rf"\bcontext(?!=| (?:deadline|cancel|menu|manager))|\b{_SIZE_SETTING}|\bKV cache\b",
    re.IGNORECASE,
)
_EXCESS = re.compile(
    rf"\b{_EXCEEDS}|\d (?:tokens )?> ?\d|\btoo (?:long|many|large|big)\b"
    r"|\bnot (?:enough|fit)\b|\brequires? \d+ tokens|\d tokens long\b|\boverflow",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"\b(?:prompts?|inputs?|messages|conversation|tokens)\b", re.IGNORECASE)
# A limit of tokens per minute, of characters, or of what the model may write.
_OTHER_LIMITS = re.compile(
    r"\bper[ -](?:min|hour|day|second)|rate[ _-]?limit|throttl|\b[TR]P[MD]\b|\bquota\b|wait before"
    r"|\b(?:daily|monthly|today|this (?:minute|hour|day|week|month)|a (?:minute|day))\b"
    r"|\b(?:characters|bytes|[KM]B)\b|at most \d+ completion tokens|number of output tokens"
    r"|\blogit_bias\b|\bderived max_model_len\b|gpu_memory_utilization",
    re.IGNORECASE,
)
_NUMBER = r"(?<!\d)(\d(?:[\d,_]{0,20}\d)?)(?!,?\d)"
_SIZE = rf"(?: size| of(?: (?:the|this) model)?| is| only| supports|:)* ?\(?{_NUMBER}(?! [+>])"
_LIMITS = re.compile(
    rf"\bmax(?:imum)? (?:allowed )?(?:\w+ )?(?:length|size){_SIZE}"
    rf"|\b(?:context|tokens?|configured)[ _](?:length|size|window|limit){_SIZE}"
    rf"|\b{_SIZE_SETTING}{_SIZE}|\bcontext \({_NUMBER}|{_NUMBER}[ -]tokens? context\b"
    rf"|: ?\d+ > {_NUMBER}|> {_NUMBER}|<= {_NUMBER}|\bmax {_NUMBER}"
    rf"|\(\d+\) exceeds limit \({_NUMBER}|\bcache size {_NUMBER}"
    rf"|\bless than {_NUMBER} tokens|\btokens allowed \({_NUMBER}|\bmodel with {_NUMBER}"
    rf"|\b(?:up to|limit is|limit of|for this model is|cannot exceed|max(?:imum)? is) {_NUMBER}"
    rf"|\b(?:for this model \(|at most ){_NUMBER} tokens"
    rf"|\bcontext (?:is limited to|holds) {_NUMBER}"
    rf"|\bmax input tokens: {_NUMBER}|\binput length should be \[\d+, ?{_NUMBER}"
    rf"|{_NUMBER} tokens of context|\bonly {_NUMBER} fit\b",
    re.IGNORECASE,
)
# Said instead of the prompt's tokens: `max_tokens` alone is more than the context.
_MAX_TOKENS = re.compile(
    r"\bmax_(?:\w{1,20}_)?tokens\b[^.]{0,60} (?:too large|(?:greater|larger) than|exceeds)"
    r"|\bfewer output tokens",
    re.IGNORECASE,
)
_OF_NUMBER = rf":?(?: of| is)? ?\(?{_NUMBER}"
# The first that matches counts: a total comes after its parts.
_PROMPTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bresulted in {_NUMBER}",
        rf"{_NUMBER} (?:tokens )?(?:in the (?:messages|input)|in your prompt)",
        rf"{_NUMBER} (?:tokens )?(?:from the input|of text input)",
        rf"{_NUMBER} input tokens|\b(?:given:|but|got) {_NUMBER}",
        rf"\b(?:request|input|prompt)s? \((?:(?:total )?length )?{_NUMBER}",
        rf"(?<!um )(?<!ax )(?<!allowed )\b(?:input|prompt)(?: sequence)? length{_OF_NUMBER}",
        rf"\b(?:has|have|contains|number of (?:input|prompt) tokens:?) {_NUMBER}",
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
    has_words = _WORDINGS.search(text) or any(map(_is_beyond_context, text.split("\n")))
    is_overflow = _CODES.search(text) or (has_words and not _OTHER_LIMITS.search(text))
    if "n_prompt_tokens" not in counts and not is_overflow:
        return None
    counts = _counts_in(text) | counts
    prompt, limit = counts.get("n_prompt_tokens"), counts.get("n_ctx")
    fits_alone = prompt < limit if prompt and limit else bool(_MAX_TOKENS.search(text))
    return _overflow_error(counts, fits_alone=fits_alone)


def _is_beyond_context(line: str) -> bool:
    return all(pattern.search(line) for pattern in (_CONTEXT, _EXCESS, _PROMPT))


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
