"""The sidebar's panel of sampling parameters. An empty field leaves its value to the server."""

from typing import Any

import streamlit as st

import parameters
from parameters import Parameter

KEY = "parameter_"


def chosen() -> dict[str, Any]:
    """Give what is to be sent with a question."""
    return parameters.chosen({p.name: st.session_state.get(KEY + p.name) for p in parameters.ALL})


@st.fragment  # tuning redraws the panel and leaves an answer that is being written alone
def parameter_panel() -> None:
    with st.expander("Parameters", icon=":material/tune:", key="parameter_panel"):
        _fields(parameters.COMMON)
    with st.expander("More parameters", icon=":material/more_horiz:", key="parameter_panel_more"):
        _fields(parameters.MORE)
    if sent := parameters.described(chosen()):
        with st.container(key="parameter_sent", gap="xxsmall"):
            st.text(f"Sent: {sent}")
            st.button(
                "Reset parameters",
                icon=":material/restart_alt:",
                key="parameter_reset",
                type="tertiary",
                on_click=_reset,
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
        field.label,
        min_value=field.type(field.least),
        max_value=field.type(field.most),
        step=field.step,
        value=None,
        placeholder="default",
        help=field.meaning,
        key=KEY + field.name,
        persist_state="session",
    )


def _texts(field: Parameter) -> None:
    st.multiselect(
        field.label,
        options=[],
        accept_new_options=True,
        max_selections=int(field.most),
        placeholder="Type, then Enter",
        help=field.meaning,
        key=KEY + field.name,
        persist_state="session",
    )


def _reset() -> None:
    for field in parameters.ALL:
        st.session_state[KEY + field.name] = [] if field.kind == "texts" else None
