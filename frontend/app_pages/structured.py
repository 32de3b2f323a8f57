"""JSON of a form: one answer as it grows, or how reliable each way of asking for it is."""

from collections.abc import Callable

import streamlit as st

from components.background_job import BackgroundJob, JobResult
from components.service_status import api, service_badge, service_callout, service_status
from controls import model_picker, parameter_panel
from structured import schema_picker
from structured.benchmark_job import MAX_TOKENS, METHODS, Experiment, ExperimentJob, ExperimentPlan
from structured.benchmark_view import BenchmarkView
from structured.result_view import ResultView
from structured.stream_job import StructuredRun, StructuredStreamJob
from structured.target_schema import TargetSchema, build_request

DRAW_SECONDS = 0.05
ONE, MANY = "One answer", "Reliability"
WAYS_TOLD = f"""\
The same prompt and parameters each time; at most {MAX_TOKENS} tokens, unless you set Max tokens.

- **free text**: the schema is written into the prompt, and nothing else holds the model to it.
- **json\\_object**: the same, and the model server is asked for some JSON.
- **json\\_schema**: the model server is given the schema as it is.
- **SmolChat**: a skeleton of the form in the prompt, a narrowed schema for the model server, \
each answer judged, and asked for again where it does not fit.

All are judged alike, by the whole schema; a fence around the JSON is forgiven. The median is of \
the valid answers' seconds, with all their attempts. The interval holds \
the true share with 95 % confidence ([Wilson](https://en.wikipedia.org/wiki/Binomial_proportion_\
confidence_interval#Wilson_score_interval)): few runs, wide interval."""

state = st.session_state
state.setdefault("structured_run", None)
state.setdefault("structured_measurement", None)
state.setdefault("structured_job", None)
state.setdefault("structured_hint", "")
run: StructuredRun | None = state.structured_run
measurement: Experiment | None = state.structured_measurement
found = service_status()
# Looked at once: what ends while this script draws is drawn as ended by the next run.
going_on: JobResult | None = next(
    (one for one in (run, measurement) if one and not one.is_over), None
)


def stop() -> None:
    if state.structured_job:
        state.structured_job.stop()


def ready_form() -> TargetSchema | None:
    """Give the form, if there is something to ask; else say what is missing."""
    state.structured_hint = ""
    form = schema_picker.selected_schema()
    if not form:
        state.structured_hint = "Put the schema right first."
    elif not schema_picker.prompt_text():
        state.structured_hint = "Write a prompt first."
    return None if state.structured_hint else form


def start_run() -> None:
    form = ready_form()
    if not form:
        return
    stop()
    client = api()
    body = build_request(
        form,
        schema_picker.prompt_text(),
        model=model_picker.selected_model(),
        parameters=parameter_panel.selected_parameters(),
    )
    job = StructuredStreamJob(
        lambda: client.stream_structured(body),
        form,
        forsaken_seconds=client.settings.forsaken_seconds,
    )
    state.structured_job, state.structured_run = job, job.run


def start_measurement() -> None:
    form = ready_form()
    if not form:
        return
    stop()
    plan = ExperimentPlan(
        form,
        schema_picker.prompt_text(),
        model_picker.selected_model(),
        parameter_panel.selected_parameters(),
        ways=[way for way in METHODS if way in state.structured_ways] or METHODS,
        repetitions=state.structured_times,
    )
    job = ExperimentJob(api(), plan)
    state.structured_job, state.structured_measurement = job, job.measurement


def render_sidebar() -> None:
    model_picker.model_picker(found)
    parameter_panel.parameter_panel()
    service_badge()


def render_buttons(label: str, start: Callable[[], None]) -> None:
    with st.container(key="structured_buttons", horizontal=True, vertical_alignment="center"):
        st.button(
            label,
            icon=":material/play_arrow:",
            key="structured_start",
            type="primary",
            on_click=start,
            shortcut="Mod+Enter",
        )
        if going_on:
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                key="structured_stop",
                on_click=stop,
                shortcut="Esc",
            )
        else:
            st.empty()
    if state.structured_hint:
        st.warning(state.structured_hint, icon=":material/info:")


def render_one() -> ResultView | None:
    render_buttons("Run", start_run)
    if not run:
        st.caption("The object grows here as the model writes it.")
        return None
    view = ResultView(run)
    if run.is_over:
        view.render_result(on_retry=start_run)
    return view


def render_many() -> BenchmarkView | None:
    with st.container(key="structured_plan", horizontal=True):
        st.number_input(
            "Runs of each",
            min_value=1,
            max_value=200,
            value=10,
            key="structured_times",
            width=130,
            on_change="ignore",
            persist_state="session",
        )
        st.pills(
            "Ways of asking",
            METHODS,
            selection_mode="multi",
            default=METHODS,
            key="structured_ways",
            on_change="ignore",
            persist_state="session",
            wrap=True,
        )
    render_buttons("Measure", start_measurement)
    with st.expander("What each way sends", icon=":material/help:", key="structured_ways_told"):
        st.markdown(WAYS_TOLD)
    if not measurement:
        st.caption("How often does each way give JSON that fits? A measurement takes minutes.")
        return None
    view = BenchmarkView(measurement)
    if measurement.is_over:
        view.render_result(on_retry=start_measurement)
    return view


def follow(outcome: JobResult, view: ResultView | BenchmarkView | None) -> None:
    """Draw what is going on until it is over; it goes on where it is not drawn, too."""
    job: BackgroundJob = state.structured_job
    while not job.wait(DRAW_SECONDS):
        if view and view.outcome is outcome:
            view.render()
    if outcome.error:
        service_status.clear()
    st.rerun()


with st.sidebar:
    render_sidebar()
st.title("JSON that fits", anchor=False)
st.markdown("Choose a form and say what should be in it. What comes back fits, or you see why not.")
if not found.is_ready and not going_on:
    service_callout(found)
schema_picker.schema_picker(found)
schema_picker.prompt_input()
part = st.segmented_control(
    "What to find out",
    [ONE, MANY],
    default=ONE,
    key="structured_part",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)
view = render_one() if part == ONE else render_many()
if going_on:
    follow(going_on, view)
