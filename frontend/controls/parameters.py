"""The sampling parameters that the page offers, with labels, help and bounds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Set by the page itself, so they cannot be among the additional parameters.
RESERVED_FIELDS = frozenset(
    {"messages", "model", "smolchat", "stream", "stream_options", "n", "n_cmpl"}
)
# The API's own limits.
MAX_SAMPLER_STRENGTH = 100
MAX_COUNT = 2**31 - 1
MAX_PENALTY_WINDOW = 1_000_000
MAX_SEED = 2**63 - 1  # more than a number field can hold: JavaScript rounds above 2**53

_ESCAPES = {"\\": r"\\", "\n": r"\n", "\t": r"\t"}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
_ESCAPE = re.compile(r"\\.")


@dataclass(frozen=True)
class Parameter:
    """One parameter. The bounds are the API's; the step is a useful increment."""

    name: str
    label: str
    min_value: float
    max_value: float
    step: float
    help: str
    kind: Literal["number", "strings", "seed"] = "number"

    @property
    def type(self) -> type[int] | type[float]:
        return int if isinstance(self.step, int) else float


# fmt: off
COMMON = [
    Parameter("temperature", "Temperature", 0, 2, 0.1,
        "Randomness: 0 is deterministic, above 1 is erratic."),
    Parameter("top_p", "Top-p", 0, 1, 0.05,
        "Sample from the most likely tokens that add up to this probability. 1 is off."),
    Parameter("top_k", "Top-k", -1, MAX_COUNT, 10,
        "Sample from this many of the most likely tokens. 0 is off."),
    Parameter("min_p", "Min-p", 0, 1, 0.05,
        "Drop tokens less likely than this fraction of the most likely one. 0 is off."),
    Parameter("repeat_penalty", "Repeat penalty", 0.05, 10, 0.05,
        "Makes tokens that already appeared less likely. 1 is off; 1.1 helps small models."),
    Parameter("max_tokens", "Max tokens", -1, MAX_COUNT, 64,
        "Maximum length of the response. -1 is no limit."),
    Parameter("seed", "Seed", -1, MAX_SEED, 1,
        "Makes sampling repeatable: the same seed and settings give the same response, unless the "
        "model is serving other requests at the same time. -1 is random.", "seed"),
]
MORE = [
    Parameter("typical_p", "Typical-p", 0, 1, 0.05,
        "Prefer tokens of average surprise, up to this total probability. 1 is off."),
    Parameter("top_n_sigma", "Top-nσ", -1, MAX_SAMPLER_STRENGTH, 0.5,  # noqa: RUF001
        "Keep tokens within this many standard deviations of the most likely one. -1 is off."),
    Parameter("dynatemp_range", "Dynatemp range", 0, 2, 0.1,
        "Vary the temperature by up to this much, by how certain the model is. 0 is off."),
    Parameter("dynatemp_exponent", "Dynatemp exponent", 0, MAX_SAMPLER_STRENGTH, 0.1,
        "How strongly the model's uncertainty changes the temperature."),
    Parameter("presence_penalty", "Presence penalty", -2, 2, 0.1,
        "Penalizes tokens that already appeared. Above 0 encourages new topics."),
    Parameter("frequency_penalty", "Frequency penalty", -2, 2, 0.1,
        "Penalizes tokens by how often they appeared. Above 0 reduces repetition."),
    Parameter("repeat_last_n", "Repeat last n", -1, MAX_PENALTY_WINDOW, 16,
        "How many of the last tokens are penalized. 0 is off, -1 is the whole context."),
    Parameter("dry_multiplier", "DRY multiplier", 0, MAX_SAMPLER_STRENGTH, 0.1,
        "How strongly repeated phrases are penalized. 0 is off; 0.8 is typical."),
    Parameter("dry_base", "DRY base", 1, MAX_SAMPLER_STRENGTH, 0.05,
        "How fast the DRY penalty grows with the length of the phrase."),
    Parameter("dry_allowed_length", "DRY allowed length", 0, MAX_COUNT, 1,
        "Phrases of up to this many tokens may repeat."),
    Parameter("dry_penalty_last_n", "DRY last n", -1, MAX_PENALTY_WINDOW, 64,
        "How many of the last tokens DRY scans. 0 is off, -1 is the whole context."),
    Parameter("xtc_probability", "XTC probability", 0, 1, 0.05,
        "How often the most likely tokens are removed, for more creative text. 0 is off."),
    Parameter("xtc_threshold", "XTC threshold", 0, 1, 0.05,
        "The minimum probability at which XTC may remove a token."),
    Parameter("mirostat", "Mirostat", 0, 2, 1,
        "Keeps perplexity near a target: version 1 or 2. 0 is off."),
    Parameter("mirostat_tau", "Mirostat tau", 0, MAX_SAMPLER_STRENGTH, 0.5,
        "Mirostat's target entropy; 5 is typical."),
    Parameter("mirostat_eta", "Mirostat eta", 0, MAX_SAMPLER_STRENGTH, 0.05,
        "Mirostat's learning rate; 0.1 is typical."),
    Parameter("stop", "Stop sequences", 0, 16, 1,
        r"Generation stops at any of these. Type \n for a newline.", "strings"),
    Parameter("dry_sequence_breakers", "DRY sequence breakers", 0, 64, 1,
        r"Text that ends a phrase for DRY. Type \n for a newline.", "strings"),
]
# fmt: on
ALL = COMMON + MORE


def to_request_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request fields of the parameters that are set."""
    fields = {field.name: _request_value(field, values.get(field.name)) for field in ALL}
    return {name: value for name, value in fields.items() if value not in (None, [])}


def parse_seed(text: str | None) -> int | None:
    """Return the seed that was typed, or None if there is none or it is out of range."""
    digits = (text or "").strip()
    if not re.fullmatch(r"-1|[0-9]{1,19}", digits) or int(digits) > MAX_SEED:
        return None
    return int(digits)


def summarize(fields: Mapping[str, Any]) -> str:
    """Format request fields as one line."""
    return " · ".join(f"{name} {format_value(value)}" for name, value in fields.items())


def escape_whitespace(text: str) -> str:
    r"""Return a string as it is typed into a field: a newline is `\n`, a backslash is `\\`."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda escape: _CHARACTERS.get(escape[0], escape[0]), text)


def _request_value(field: Parameter, value: Any) -> Any:
    if field.kind == "seed":
        return parse_seed(value)
    return list(map(_unescape, value)) if isinstance(value, list) else value


def format_value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(repr(text) for text in value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)
