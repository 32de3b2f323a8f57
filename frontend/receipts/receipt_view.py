"""The stats of an answer: a summary line under it, and all of them in a dialog."""

import streamlit as st

from api.chat_chunk import Receipt
from api.conversation import Message
from components.callouts import dialog_button
from components.service_status import ServiceStatus
from controls import model_picker, parameter_panel
from controls.model_defaults import changed_parameters
from receipts import receipt_text
from receipts.logprobs_view import render_logprobs
from sanitize.plain_text import plain_text


def render_summary(message: Message) -> None:
    receipt = message.receipt or Receipt(model=message.model)
    is_empty = not (message.content or message.tool_calls)
    sent = changed_parameters(message.parameters or {}, receipt.model)
    summary = receipt_text.summary_line(receipt, state=message.state, is_empty=is_empty, sent=sent)
    st.text(summary)  # its height in app.css is that of the place kept for it
    for warning in receipt.warnings or ():
        st.text(warning)


@st.dialog("Generation stats", width="medium")
def show_receipt(message: Message, service: ServiceStatus) -> None:
    receipt = message.receipt or Receipt(model=message.model)
    about = {model.id: model_picker.describe_model(model) for model in service.models}
    rows = receipt_text.detail_rows(
        receipt,
        state=message.state,
        sent=message.parameters,
        about=about.get(receipt.model or "", ""),
    )
    st.table({name: plain_text(value) for name, value in rows}, border="horizontal")
    if (share := receipt_text.context_share(receipt)) is not None:
        st.progress(share, text="Context used")
    if receipt.seed is not None and parameter_panel.is_valid_seed(receipt.seed):
        dialog_button(
            "Use this seed",
            icon=":material/casino:",
            key="receipt_seed",
            on_click=parameter_panel.pin_seed,
            args=[receipt.seed],
        )


@st.dialog("Token probabilities", width="large")
def show_logprobs(message: Message) -> None:
    render_logprobs(message.logprobs or [])
