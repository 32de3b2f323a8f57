"""The Structured page: generate output that matches a schema, or benchmark the methods."""

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

RENDER_SECONDS = 0.05
GENERATE, BENCHMARK = "Generate", "Benchmark"
ABOUT_METHODS = f"""\
All methods use the same prompt and parameters, and at most {MAX_TOKENS} tokens unless you set \
Max tokens.

- **free text**: the schema is only in the prompt. Nothing enforces it.
- **json\\_object**: the same prompt, and the model server is asked for any JSON.
- **json\\_schema**: the model server gets the schema unchanged.
- **SmolChat**: an outline of the schema in the prompt and a narrowed schema for the model server. \
Output is validated, and generated again if it is invalid.

All output is validated against the full schema; a code fence around the JSON is ignored. The \
median time is that of valid responses, including retries. The interval contains the true share \
with 95% confidence ([Wilson](https://en.wikipedia.org/wiki/Binomial_proportion_\
confidence_interval#Wilson_score_interval)): the fewer runs, the wider it is."""

state = st.session_state
state.setdefault("structured_run", None)
state.setdefault("structured_experiment", None)
state.setdefault("structured_job", None)
state.setdefault("structured_hint", "")
run: StructuredRun | None = state.structured_run
experiment: Experiment | None = state.structured_experiment
service = service_status()
# Read once: a job that ends during this script run is rendered as finished by the next one.
active: JobResult | None = next(
    (result for result in (run, experiment) if result and not result.is_over), None
)


def stop() -> None:
    if state.structured_job:
        state.structured_job.stop()


def validate_input() -> TargetSchema | None:
    """Return the schema, or set a hint if the schema or the prompt is missing."""
    state.structured_hint = ""
    target = schema_picker.selected_schema()
    if not target:
        state.structured_hint = "Fix the schema first"
    elif not schema_picker.prompt_text():
        state.structured_hint = "Enter a prompt first"
    return None if state.structured_hint else target


def start_run() -> None:
    target = validate_input()
    if not target:
        return
    stop()
    client = api()
    body = build_request(
        target,
        schema_picker.prompt_text(),
        model=model_picker.selected_model(),
        parameters=parameter_panel.selected_parameters(),
    )
    job = StructuredStreamJob(
        lambda: client.stream_structured(body),
        target,
        abandoned_seconds=client.settings.forsaken_seconds,
    )
    state.structured_job, state.structured_run = job, job.run


def start_benchmark() -> None:
    target = validate_input()
    if not target:
        return
    stop()
    plan = ExperimentPlan(
        target,
        schema_picker.prompt_text(),
        model_picker.selected_model(),
        parameter_panel.selected_parameters(),
        methods=[name for name in METHODS if name in state.structured_methods] or METHODS,
        repetitions=state.structured_repetitions,
    )
    job = ExperimentJob(api(), plan)
    state.structured_job, state.structured_experiment = job, job.experiment


def render_sidebar() -> None:
    model_picker.model_picker(service)
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
        if active:
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


def render_generate() -> ResultView | None:
    render_buttons("Run", start_run)
    if not run:
        st.caption("Output appears here")
        return None
    view = ResultView(run)
    if run.is_over:
        view.render_result(on_retry=start_run)
    return view


def render_benchmark() -> BenchmarkView | None:
    with st.container(key="structured_plan", horizontal=True):
        st.number_input(
            "Runs per method",
            min_value=1,
            max_value=200,
            value=10,
            key="structured_repetitions",
            width=130,
            on_change="ignore",
            persist_state="session",
        )
        st.pills(
            "Methods",
            METHODS,
            selection_mode="multi",
            default=METHODS,
            key="structured_methods",
            on_change="ignore",
            persist_state="session",
            wrap=True,
        )
    render_buttons("Run benchmark", start_benchmark)
    with st.expander("About the methods", icon=":material/help:", key="structured_about"):
        st.markdown(ABOUT_METHODS)
    if not experiment:
        st.caption("Measures how often each method returns valid output. Takes a few minutes.")
        return None
    view = BenchmarkView(experiment)
    if experiment.is_over:
        view.render_result(on_retry=start_benchmark)
    return view


def stream(result: JobResult, view: ResultView | BenchmarkView | None) -> None:
    """Render the active job until it is over. Poll it even if the other tab is shown."""
    job: BackgroundJob = state.structured_job
    while not job.wait(RENDER_SECONDS):
        if view and view.result is result:
            view.render()
    if result.error:
        service_status.clear()
    st.rerun()


with st.sidebar:
    render_sidebar()
st.title("Structured output", anchor=False)
st.markdown("Pick a schema and describe the content. Output is validated.")
if not service.is_ready and not active:
    service_callout(service)
schema_picker.schema_picker(service)
schema_picker.prompt_input()
mode = st.segmented_control(
    "Mode",
    [GENERATE, BENCHMARK],
    default=GENERATE,
    key="structured_mode",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)
view = render_generate() if mode == GENERATE else render_benchmark()
if active:
    stream(active, view)
