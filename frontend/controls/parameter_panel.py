"""The sidebar's panel of sampling parameters. An empty field leaves its value to the server."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

import strict_json
from controls import parameters
from controls.parameters import Parameter

KEY = "parameter_"
EXTRA, LOGPROBS = "parameter_extra", "parameter_logprobs"
MAX_SEED = 2**31 - 1
_KNOWN = frozenset(parameter.name for parameter in parameters.ALL)


def selected_parameters() -> dict[str, Any]:
    """Give what is to be sent with a question."""
    values = {p.name: st.session_state.get(KEY + p.name) for p in parameters.ALL}
    extra, _ = _extra()
    return extra | parameters.to_request_fields(values)


def wants_logprobs() -> bool:
    return bool(st.session_state.get(LOGPROBS))


def set_parameters(values: Mapping[str, Any]) -> None:
    """Set the panel to these parameters; what it has no field for is an extra one."""
    for field in parameters.ALL:
        st.session_state[KEY + field.name] = _coerce(field, values.get(field.name))
    extra = {name: value for name, value in values.items() if name not in _KNOWN}
    st.session_state[EXTRA] = strict_json.format_json(extra) if extra else ""


@st.fragment  # tuning redraws the panel and leaves an answer that is being written alone
def parameter_panel(above: Callable[[], None] = lambda: None, *, for_chat: bool = False) -> None:
    above()
    with st.expander("Parameters", icon=":material/tune:", key="parameter_panel"):
        _fields(parameters.COMMON)
        _seed()
        if for_chat:
            st.toggle(
                "Token probabilities",
                key=LOGPROBS,
                help="Ask how likely each token was, and what else it could have been.",
                persist_state="session",
            )
    with st.expander("More parameters", icon=":material/more_horiz:", key="parameter_panel_more"):
        _fields(parameters.MORE)
        _extra_field()
    if sent := parameters.summarize(selected_parameters()):
        with st.container(key="parameter_sent", gap="xxsmall"):
            st.text(f"Sent: {sent}")
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
            if field.kind == "texts":
                _texts(field)
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
        key=KEY + field.name,
        persist_state="session",
    )


def _texts(field: Parameter) -> None:
    st.multiselect(
        _label(field),
        options=[],
        accept_new_options=True,
        max_selections=int(field.max_value),
        placeholder="Type, then Enter",
        help=field.help,
        key=KEY + field.name,
        persist_state="session",
    )


def _label(field: Parameter) -> str:
    """Mark what is changed from the default."""
    is_changed = st.session_state.get(KEY + field.name) not in (None, [])
    return f"{field.label} :primary[●]" if is_changed else field.label


def _seed() -> None:
    st.button(
        "Draw a seed and keep it",
        icon=":material/casino:",
        key="parameter_dice",
        type="tertiary",
        on_click=pin_seed,
        help="The next answers are drawn with it. Empty the field for a new one each time.",
    )


def is_valid_seed(seed: int) -> bool:
    """Tell whether the field takes this seed, which an imported answer may name."""
    [field] = [field for field in parameters.ALL if field.name == "seed"]
    return _coerce(field, seed) is not None


def pin_seed(seed: int | None = None) -> None:
    """Use a seed from now on: this one, or one that is drawn."""
    drawn = random.randrange(MAX_SEED) if seed is None else seed  # noqa: S311  # no secret
    st.session_state[KEY + "seed"] = drawn


def _extra_field() -> None:
    st.text_area(
        "Extra parameters (JSON)",
        key=EXTRA,
        height=80,
        placeholder='{"chat_template_kwargs": {}}',
        help="Fields of the request that have no place above. They are sent as they are.",
        persist_state="session",
    )
    _, problem = _extra()
    if problem:
        st.error(f"Not sent: {problem}", icon=":material/error:")


def _extra() -> tuple[dict[str, Any], str]:
    """Read the extra parameters: what can be sent, or what is wrong with them."""
    text = (st.session_state.get(EXTRA) or "").strip()
    if not text:
        return {}, ""
    try:
        value = strict_json.parse(text)
    except ValueError as error:
        return {}, f"this is no JSON: {error}."
    if not isinstance(value, dict):
        return {}, 'this is no JSON object, such as {"top_k": 40}.'
    if taken := sorted(value.keys() & parameters.RESERVED_FIELDS):
        return {}, f"the page itself says {', '.join(taken)}."
    return value, ""


def _coerce(field: Parameter, value: Any) -> Any:
    """Give a value that the field can show, or nothing."""
    if field.kind == "texts":
        texts = [value] if isinstance(value, str) else value
        return [_typed(text) for text in texts] if isinstance(texts, list) else []
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not field.min_value <= value <= field.max_value:
        return None
    return field.type(value)


def _typed(text: Any) -> str:
    return str(text).replace("\n", r"\n").replace("\t", r"\t")
