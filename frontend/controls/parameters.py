"""The sampling parameters of the API, as the page offers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Set by the page itself, so they cannot be among the additional parameters.
RESERVED_FIELDS = frozenset({"messages", "model", "smolchat", "stream", "stream_options", "n"})
MAX_SAMPLER_STRENGTH = 100  # the API's largest strength
COUNT = 2**31 - 1  # its largest count
MAX_PENALTY_WINDOW = 1_000_000  # and how far back it lets penalties look


@dataclass(frozen=True)
class Parameter:
    """One parameter: its bounds are the API's, its step is what a person would try next."""

    name: str
    label: str
    min_value: float
    max_value: float
    step: float
    help: str
    kind: Literal["number", "texts"] = "number"

    @property
    def type(self) -> type[int] | type[float]:
        return int if isinstance(self.step, int) else float


# fmt: off
COMMON = [
    Parameter("temperature", "Temperature", 0, 2, 0.1,
        "How freely words are drawn. 0 always takes the likeliest; above 1 it gets wild."),
    Parameter("top_p", "Top p", 0, 1, 0.05,
        "Draw only from the likeliest tokens that together reach this probability. 1 is off."),
    Parameter("top_k", "Top k", -1, COUNT, 10,
        "Draw only from this many of the likeliest tokens. 0 is off."),
    Parameter("min_p", "Min p", 0, 1, 0.05,
        "Leave out tokens less likely than this share of the likeliest one. 0 is off."),
    Parameter("repeat_penalty", "Repeat penalty", 0.05, 10, 0.05,
        "Makes tokens that were used less likely. 1 is off; 1.1 helps small models."),
    Parameter("max_tokens", "Max tokens", 1, COUNT, 64,
        "The answer is cut off after this many tokens."),
    Parameter("seed", "Seed", -1, 2**32 - 1, 1,
        "Where the random numbers begin. The same seed and settings give the same answer, as long "
        "as the model answers nobody else meanwhile. -1 draws a new one."),
]
MORE = [
    Parameter("typical_p", "Typical p", 0, 1, 0.05,
        "Prefer tokens about as surprising as is usual here. 1 is off."),
    Parameter("top_n_sigma", "Top n sigma", -1, MAX_SAMPLER_STRENGTH, 0.5,
        "Keep tokens within this many standard deviations of the best one. -1 is off."),
    Parameter("dynatemp_range", "Dynatemp range", 0, 2, 0.1,
        "Let the temperature vary by this much, with how sure the model is. 0 is off."),
    Parameter("dynatemp_exponent", "Dynatemp exponent", 0, MAX_SAMPLER_STRENGTH, 0.1,
        "How strongly the model's doubt moves the varying temperature."),
    Parameter("presence_penalty", "Presence penalty", -2, 2, 0.1,
        "Against tokens that were used at all: above 0 brings new subjects."),
    Parameter("frequency_penalty", "Frequency penalty", -2, 2, 0.1,
        "Against tokens by how often they were used: above 0 repeats less."),
    Parameter("repeat_last_n", "Repeat last n", -1, MAX_PENALTY_WINDOW, 16,
        "How many tokens back the penalties look. 0 is off, -1 is the whole context."),
    Parameter("dry_multiplier", "DRY multiplier", 0, MAX_SAMPLER_STRENGTH, 0.1,
        "How strongly repeated phrases are punished. 0 is off; 0.8 is usual."),
    Parameter("dry_base", "DRY base", 1, MAX_SAMPLER_STRENGTH, 0.05,
        "How fast that punishment grows with the length of the phrase."),
    Parameter("dry_allowed_length", "DRY allowed length", 0, COUNT, 1,
        "Phrases up to this many tokens may repeat."),
    Parameter("dry_penalty_last_n", "DRY last n", -1, MAX_PENALTY_WINDOW, 64,
        "How many tokens back DRY looks. 0 is off, -1 is the whole context."),
    Parameter("xtc_probability", "XTC probability", 0, 1, 0.05,
        "How often the likeliest choices are left out, for more surprising text. 0 is off."),
    Parameter("xtc_threshold", "XTC threshold", 0, 1, 0.05,
        "How likely a token must be before XTC may leave it out."),
    Parameter("mirostat", "Mirostat", 0, 2, 1,
        "Steers the surprise of the text by itself: version 1 or 2; 0 is off."),
    Parameter("mirostat_tau", "Mirostat tau", 0, MAX_SAMPLER_STRENGTH, 0.5,
        "The surprise that Mirostat aims at; 5 is usual."),
    Parameter("mirostat_eta", "Mirostat eta", 0, MAX_SAMPLER_STRENGTH, 0.05,
        "How fast Mirostat corrects itself; 0.1 is usual."),
    Parameter("stop", "Stop at", 0, 16, 1,
        r"The answer ends where the model writes one of these. Write \n for a new line.", "texts"),
    Parameter("dry_sequence_breakers", "DRY breakers", 0, 64, 1,
        r"Text at which a phrase ends for DRY. Write \n for a new line.", "texts"),
]
# fmt: on
ALL = COMMON + MORE


def to_request_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is to be sent: the parameters that a person set, and no others."""
    return {
        parameter.name: _sent(values[parameter.name])
        for parameter in ALL
        if values.get(parameter.name) not in (None, [])
    }


def summarize(sent: Mapping[str, Any]) -> str:
    """Say in one line what is to be sent."""
    return " · ".join(f"{name} {_shown(value)}" for name, value in sent.items())


def _sent(value: Any) -> Any:
    if isinstance(value, list):
        return [text.replace(r"\n", "\n").replace(r"\t", "\t") for text in value]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(repr(text) for text in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
