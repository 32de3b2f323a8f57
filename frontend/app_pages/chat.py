"""The chat: questions, answers while they are written, and what each one cost."""

import streamlit as st

import model_choice
import parameter_panel
from answer_job import Answer, AnswerJob
from answer_view import AnswerView
from conversation import Turn, facts, to_request
from parts import callout
from service import api, privacy, service, service_badge, service_callout

DRAW_SECONDS = 0.05
# SmolLM2 answers worse under the prompt that its own template puts in when there is none.
SYSTEM_PROMPT = "You are a helpful assistant."
STARTERS = {
    "Explain": "Explain recursion to a 10-year-old in four sentences.",
    "Rewrite": "Rewrite this politely: send me the file now.",
    "Plan": "Plan a 20-minute lunch with eggs and spinach.",
    "Code": "Write a Python function that counts vowels.",
}

state = st.session_state
state.setdefault("chat_turns", [])
state.setdefault("chat_job", None)
state.setdefault("chat_system", SYSTEM_PROMPT)
turns: list[Turn] = state.chat_turns
found = service()
# Looked at once: an answer that ends while this script draws is drawn as ended by the next run.
is_answering = bool(turns) and not turns[-1].answer.is_over


def start_answer() -> None:
    stop_answer()
    request = to_request(
        turns,
        system=state.get("chat_system") or "",
        model=model_choice.chosen(),
        parameters=parameter_panel.chosen(),
    )
    client = api()
    state.chat_job = AnswerJob(
        lambda: client.chat(request), forsaken_seconds=client.settings.forsaken_seconds
    )
    turns[-1].begin(state.chat_job.answer)


def ask(question: str) -> None:
    if question.strip() and not (turns and not turns[-1].answer.is_over):
        turns.append(Turn(question.strip(), Answer()))
        start_answer()


def ask_what_was_typed() -> None:
    ask(state.chat_input)


def stop_answer() -> None:
    if state.chat_job:
        state.chat_job.stop()


def start_over() -> None:
    stop_answer()
    turns.clear()


def draw_sidebar() -> None:
    st.button(
        "New chat", icon=":material/add:", key="chat_new", on_click=start_over, width="stretch"
    )
    model_choice.model_choice(found)
    st.text_area(
        "System prompt",
        key="chat_system",
        height=80,
        help="How the model should behave. It is sent before everything else.",
        persist_state="session",
    )
    parameter_panel.parameter_panel()
    service_badge()


def draw_welcome() -> None:
    st.title("What should a small model try?", anchor=False)
    if not found.is_ready or not found.health:
        service_callout(found)
        return
    urls = [st.context.url or "", api().settings.api_base_url, found.health.model_server.url]
    st.markdown(privacy(*urls))
    with st.container(key="chat_starters"):
        for pair in (list(STARTERS.items())[:2], list(STARTERS.items())[2:]):
            for column, (title, question) in zip(st.columns(2), pair, strict=True):
                column.button(
                    f"**{title}**  \n{question}",
                    key=f"chat_starter_{title}",
                    on_click=ask,
                    args=[question],
                    width="stretch",
                    wrap=True,
                )


def draw_turn(number: int, turn: Turn) -> AnswerView:
    with (
        st.container(key=f"chat_user_{number}"),
        st.chat_message("user", avatar=":material/person:"),
    ):
        st.text(turn.question)
    with st.chat_message("assistant", avatar=":material/bolt:"):
        view = AnswerView(turn.shown)
        view.draw(turn.shown)
        # Here and below: st.empty() takes away what stood there, which would stay, dimmed, for as
        # long as an answer is drawn.
        ending = st.empty()
        if turn.answer.is_over:
            with ending.container():
                draw_ending(number, turn)
    return view


def draw_ending(number: int, turn: Turn) -> None:
    is_last = number == len(turns) - 1
    error = turn.answer.error
    if line := facts(turn.shown):
        with st.container(
            key=f"chat_facts_{number}",
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
        ):
            st.text(line)
            place = st.empty()
            if is_last and not error:
                place.button(
                    "Regenerate",
                    icon=":material/refresh:",
                    key="chat_again",
                    type="tertiary",
                    on_click=start_answer,
                )
    trouble = st.empty()
    if is_last and error:
        with trouble.container():
            callout(error, on_retry=start_answer, key="chat_retry")


def draw_bottom() -> None:
    if is_answering:
        with st.bottom:
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                key="chat_stop",
                on_click=stop_answer,
                shortcut="Esc",
            )
    # Streamlit itself puts this at the bottom; inside st.bottom it would not follow an answer down.
    st.chat_input(
        "Message the model …",
        key="chat_input",
        on_submit=ask_what_was_typed,
        submit_mode="disable",
    )
    with st.bottom:
        st.caption("Small models make things up. Check what matters.", text_alignment="center")


def show_last_question() -> None:
    # A script runs where its text is new: once for each question.
    script = f'<script src="app/static/scroll.js?{len(turns)}"></script>'
    with st.container(key="chat_scroll"):
        st.html(script, unsafe_allow_javascript=True)


def draw_thread() -> AnswerView | None:
    if state.get("chat_system"):
        with st.container(key="chat_system_note"):
            st.text(f"System prompt: {state.chat_system}")
    view = None
    for number, turn in enumerate(turns):
        view = draw_turn(number, turn)
    show_last_question()
    return view


def follow(answer: Answer, view: AnswerView) -> None:
    """Draw an answer until it is over."""
    while not state.chat_job.look(DRAW_SECONDS):
        view.draw(answer)
    view.draw(answer)
    if answer.error:
        service.clear()
    st.rerun()


with st.sidebar:
    draw_sidebar()
welcome = st.empty()  # what is left of it would stay, dimmed, under an answer
last_view = None
if turns:
    welcome.empty()
    last_view = draw_thread()
    if not found.is_ready and not is_answering and not turns[-1].answer.error:
        service_callout(found)
else:
    with welcome.container(key="chat_welcome"):
        draw_welcome()
draw_bottom()
if last_view and is_answering:
    follow(turns[-1].answer, last_view)
