"""The sampling parameters in the sidebar. An empty field means the model server's default."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

import strict_json
from controls import parameters
from controls.parameters import Parameter

KEY_PREFIX = "parameter_"
ADDITIONAL_KEY, LOGPROBS_KEY = "parameter_extra", "parameter_logprobs"
MAX_SEED = 2**31 - 1
_NAMES = frozenset(parameter.name for parameter in parameters.ALL)


def selected_parameters() -> dict[str, Any]:
    """Return the request fields of all changed and additional parameters."""
    values = {p.name: st.session_state.get(KEY_PREFIX + p.name) for p in parameters.ALL}
    additional, _ = _parse_additional()
    return additional | parameters.to_request_fields(values)


def wants_logprobs() -> bool:
    return bool(st.session_state.get(LOGPROBS_KEY))


def set_parameters(values: Mapping[str, Any]) -> None:
    """Fill the panel with these parameters; those without a field become additional ones."""
    for field in parameters.ALL:
        st.session_state[KEY_PREFIX + field.name] = _coerce(field, values.get(field.name))
    additional = {name: value for name, value in values.items() if name not in _NAMES}
    st.session_state[ADDITIONAL_KEY] = strict_json.format_json(additional) if additional else ""


@st.fragment  # a change reruns only the panel, so it does not interrupt a streaming response
def parameter_panel(above: Callable[[], None] = lambda: None, *, for_chat: bool = False) -> None:
    above()
    with st.expander("Parameters", icon=":material/tune:", key="parameter_panel"):
        _fields(parameters.COMMON)
        _seed_button()
        if for_chat:
            st.toggle(
                "Token probabilities",
                key=LOGPROBS_KEY,
                help="Return the probability of each token and its alternatives.",
                persist_state="session",
            )
    with st.expander("More parameters", icon=":material/more_horiz:", key="parameter_panel_more"):
        _fields(parameters.MORE)
        _additional_field()
    if overrides := parameters.summarize(selected_parameters()):
        with st.container(key="parameter_sent", gap="xxsmall"):
            st.text(f"Overrides: {overrides}")
            st.button(
                "Reset parameters",
                icon=":material/restart_alt:",
                key="parameter_reset",
                type="tertiary",
                on_click=set_parameters,
                args=[{}],
            )


def _fields(fields: list[Parameter]) -> None:
    with st.container(key=f"parameter_fields_{fields[0].name}", gap="xsmall"):
        for field in fields:
            if field.kind == "strings":
                _string_list(field)
            else:
                _number(field)


def _number(field: Parameter) -> None:
    st.number_input(
        _label(field),
        min_value=field.type(field.min_value),
        max_value=field.type(field.max_value),
        step=field.step,
        value=None,
        placeholder="default",
        help=field.help,
        key=KEY_PREFIX + field.name,
        persist_state="session",
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
    is_changed = st.session_state.get(KEY_PREFIX + field.name) not in (None, [])
    return f"{field.label} :primary[●]" if is_changed else field.label


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
    [field] = [field for field in parameters.ALL if field.name == "seed"]
    return _coerce(field, seed) is not None


def pin_seed(seed: int | None = None) -> None:
    """Set the seed, by default to a random one."""
    value = random.randrange(MAX_SEED) if seed is None else seed  # noqa: S311  # not a secret
    st.session_state[KEY_PREFIX + "seed"] = value


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
        st.error(f"{problem} Additional parameters are not sent.", icon=":material/error:")


def _parse_additional() -> tuple[dict[str, Any], str]:
    """Return the additional parameters, or none and the problem with them."""
    text = (st.session_state.get(ADDITIONAL_KEY) or "").strip()
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


def _coerce(field: Parameter, value: Any) -> Any:
    """Return the value as the field can show it, or an empty one."""
    if field.kind == "strings":
        texts = [value] if isinstance(value, str) else value
        return [_escape_whitespace(text) for text in texts] if isinstance(texts, list) else []
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not field.min_value <= value <= field.max_value:
        return None
    return field.type(value)


def _escape_whitespace(text: Any) -> str:
    return str(text).replace("\n", r"\n").replace("\t", r"\t")
