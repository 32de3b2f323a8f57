"""The sampling parameters in the sidebar.

An empty field means the default that suits the model, or else the model server's.
"""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import streamlit as st

import strict_json
from controls import parameters, tool_switches
from controls.page_values import current_value, render_hidden_field, restore_values, set_values
from controls.parameters import Parameter
from sanitize.plain_text import plain_text

KEY_PREFIX = "parameter_"
ADDITIONAL_KEY, LOGPROBS_KEY = "parameter_extra", "parameter_logprobs"
PRESET_KEY, SELECTED_PRESET_KEY, RESET_KEY = "preset", "preset_selected", "parameter_reset"
MAX_RANDOM_SEED = 2**31 - 1  # easier to read and to copy than the largest one


def selected_parameters() -> dict[str, Any]:
    """Return the request fields of all changed and additional parameters."""
    values = {p.name: current_value(KEY_PREFIX + p.name) for p in parameters.ALL}
    additional, _ = _parse_additional()
    return additional | parameters.to_request_fields(values)


def chat_parameters() -> dict[str, Any]:
    """Return what is stored with a chat and in presets: the parameters, and the tools."""
    return selected_parameters() | tool_switches.tool_fields()


def wants_logprobs() -> bool:
    return bool(st.session_state.get(LOGPROBS_KEY))


def set_parameters(values: Mapping[str, Any]) -> None:
    """Fill the panel with these parameters; those without a field become additional ones."""
    switches = tool_switches.switch_values(tool_switches.tools_in(values))
    set_values(field_values(values) | switches | {PRESET_KEY: None, SELECTED_PRESET_KEY: None})


def reset_parameters() -> None:
    """Empty all fields. The tools stay on."""
    set_values(field_values({}) | {PRESET_KEY: None, SELECTED_PRESET_KEY: None})


def field_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all fields, by their keys, that stand for these parameters.

    Without tools, the tools that are on stay so.
    """
    fields, additional = _split(values)
    text = strict_json.format_json(additional) if additional else ""
    tools = tool_switches.tools_in(values)
    switches: dict[str, Any] = tool_switches.switch_values(tools) if tools else {}
    switches |= {KEY_PREFIX + name: value for name, value in fields.items()}
    return switches | {ADDITIONAL_KEY: text}


def parameters_sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request fields that are sent if the panel is filled with these parameters."""
    fields, additional = _split(values)
    tools = tool_switches.tools_in(values)
    extensions = {tool_switches.FIELD: {"tools": tools}} if tools else {}
    return additional | parameters.to_request_fields(fields) | extensions


@st.fragment  # a change reruns only the panel, so it does not interrupt a streaming response
def parameter_panel(
    above: Callable[[], None] = lambda: None,
    *,
    for_chat: bool = False,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Render the parameters below what `above` renders; an empty field shows its default."""
    restore_values()
    above()
    with st.expander("Parameters", icon=":material/tune:", key="parameter_panel"):
        _fields(parameters.COMMON, defaults)
        _seed_button()
        if for_chat:
            st.toggle(
                "Token probabilities",
                key=LOGPROBS_KEY,
                help="Return the probability of each token and its alternatives.",
                persist_state="session",
            )
    with st.expander("More parameters", icon=":material/more_horiz:", key="parameter_panel_more"):
        _fields(parameters.MORE, defaults)
        _additional_field()
    if overrides := parameters.summarize(selected_parameters()):
        with st.container(key="parameter_sent", gap="xxsmall"):
            st.text(f"Overrides: {overrides}")
            st.button(
                "Reset parameters",
                icon=":material/restart_alt:",
                key=RESET_KEY,
                type="tertiary",
                on_click=reset_parameters,
            )
    if for_chat:
        tool_switches.tool_switches()
    render_hidden_field()  # last, so that a browser has received all other fields before it


def _fields(fields: list[Parameter], defaults: Mapping[str, Any]) -> None:
    with st.container(key=f"parameter_fields_{fields[0].name}", gap="xsmall"):
        for field in fields:
            if field.kind == "strings":
                _string_list(field)
            elif field.kind == "seed":
                _seed(field)
            else:
                _number(field, defaults.get(field.name))


def _number(field: Parameter, default: float | None) -> None:
    st.number_input(
        _label(field),
        min_value=field.type(field.min_value),
        max_value=field.type(field.max_value),
        step=field.step,
        format="%d" if field.type is int else "%g",  # all digits, since all are sent
        value=None,
        placeholder="default" if default is None else parameters.format_value(default),
        help=field.help,
        key=KEY_PREFIX + field.name,
        persist_state="session",
    )


def _seed(field: Parameter) -> None:
    text = st.text_input(
        _label(field),
        value=None,
        placeholder="random",
        help=field.help,
        key=KEY_PREFIX + field.name,
        persist_state="session",
    )
    if text and parameters.parse_seed(text) is None:
        st.error(
            "Enter -1, or a whole number below 2^63. The seed is not sent.",
            icon=":material/error:",
        )


def _string_list(field: Parameter) -> None:
    st.multiselect(
        _label(field),
        options=[],
        accept_new_options=True,
        max_selections=int(field.max_value),
        placeholder="Type and press Enter",
        help=field.help,
        key=KEY_PREFIX + field.name,
        persist_state="session",
    )


def _label(field: Parameter) -> str:
    """Return the label, with a dot if the value is not the default."""
    is_changed = st.session_state.get(KEY_PREFIX + field.name) not in (None, [], "")
    return f"{field.label} ●" if is_changed else field.label


def _seed_button() -> None:
    st.button(
        "Random seed",
        icon=":material/casino:",
        key="parameter_dice",
        type="tertiary",
        on_click=pin_seed,
        help="Sets a fixed seed for the next responses. Clear the field for a new one each time.",
    )


def is_valid_seed(seed: int) -> bool:
    """Return True if the seed is in range; that of an imported answer may not be."""
    return parameters.parse_seed(str(seed)) is not None


def pin_seed(seed: int | None = None) -> None:
    """Set the seed, by default to a random one."""
    value = random.randrange(MAX_RANDOM_SEED) if seed is None else seed  # noqa: S311  # no secret
    set_values({KEY_PREFIX + "seed": str(value)})


def can_raise_max_tokens(tokens: int) -> bool:
    """Return True if Max tokens can be set to this, and responses may be longer then."""
    sent = selected_parameters()
    current = sent.get("max_tokens")
    is_enough = isinstance(current, int) and current >= tokens
    return not is_enough and "max_completion_tokens" not in sent  # which overrides it


def set_max_tokens(tokens: int) -> None:
    set_values({KEY_PREFIX + "max_tokens": tokens})


def _additional_field() -> None:
    st.text_area(
        "Additional parameters (JSON)",
        key=ADDITIONAL_KEY,
        height=80,
        placeholder='{"chat_template_kwargs": {}}',
        help="Request fields that are not listed above. They are sent as they are.",
        persist_state="session",
    )
    _, problem = _parse_additional()
    if problem:
        st.error(
            f"{plain_text(problem)} Additional parameters are not sent.", icon=":material/error:"
        )


def _parse_additional() -> tuple[dict[str, Any], str]:
    """Return the additional parameters, or none and the problem with them."""
    text = (current_value(ADDITIONAL_KEY) or "").strip()
    if not text:
        return {}, ""
    try:
        value = strict_json.parse(text)
    except ValueError as error:
        return {}, f"Invalid JSON: {error}."
    if not isinstance(value, dict):
        return {}, 'Not a JSON object. Example: {"top_k": 40}.'
    if reserved := sorted(value.keys() & parameters.RESERVED_FIELDS):
        names = ", ".join(f'"{name}"' for name in reserved)
        return {}, f"{names} {'is' if len(reserved) == 1 else 'are'} set by the page."
    return value, ""


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the value of each field, and the parameters that no field can hold."""
    fields = {field.name: _field_value(field, values.get(field.name)) for field in parameters.ALL}
    additional = {
        name: value
        for name, value in values.items()
        if value not in (None, [])
        and fields.get(name) in (None, [])
        and name != tool_switches.FIELD
    }
    return fields, additional


def _field_value(field: Parameter, value: Any) -> Any:
    """Return the value as the field shows it, or an empty one if the field cannot hold it."""
    if field.kind == "strings":
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return []
        return [parameters.escape_whitespace(text) for text in texts]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not field.min_value <= value <= field.max_value or field.type(value) != value:
        return None
    return str(int(value)) if field.kind == "seed" else field.type(value)
