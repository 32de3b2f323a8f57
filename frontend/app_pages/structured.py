"""The Structured page: generate output that matches a schema, or benchmark the methods."""

from collections.abc import Callable

import streamlit as st

from api.errors import ApiError
from components.background_job import JobResult
from components.callouts import fresh_container
from components.service_status import api, service_badge, service_callout, service_status
from controls import model_picker, parameter_panel
from structured import result_text, schema_picker
from structured.benchmark_job import MAX_TOKENS, METHODS, ExperimentJob, ExperimentPlan
from structured.benchmark_view import BenchmarkView
from structured.result_view import ResultView
from structured.session import current_session
from structured.stream_job import StructuredStreamJob
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
Output is validated, and generated again if it is invalid. *Require mentioned fields* applies only \
to this method.

All output is validated against the full schema; a code fence around the JSON is ignored, and \
SmolChat finds it amid other text too. The \
median time is that of valid responses, including retries. The interval contains the true share \
with 95% confidence ([Wilson](https://en.wikipedia.org/wiki/Binomial_proportion_\
confidence_interval#Wilson_score_interval)): the fewer runs, the wider it is."""

session = current_session()
service = service_status()
# Read once: a job that ends during this script run is rendered as finished by the next one.
active = session.active


def validate_input() -> tuple[TargetSchema, str] | None:
    """Return the schema and the prompt, or set a hint if one is missing."""
    target, prompt = schema_picker.selected_schema(), schema_picker.prompt_text()
    session.hint = ""
    if target and prompt:
        return target, prompt
    session.hint = "Enter a prompt first" if target else "Fix the schema first"
    return None


def start_run() -> None:
    if not (inputs := validate_input()):
        return
    session.stop()
    client = api()
    body = build_request(
        *inputs,
        model=model_picker.selected_model(),
        parameters=parameter_panel.selected_parameters(),
        requires_mentioned=schema_picker.requires_mentioned(),
    )
    session.start_run(StructuredStreamJob(lambda: client.stream_structured(body), *inputs))


def retry_with_max_tokens(tokens: int) -> None:
    parameter_panel.set_max_tokens(tokens)
    start_run()


def start_benchmark() -> None:
    if not (inputs := validate_input()):
        return
    session.stop()
    state = st.session_state
    plan = ExperimentPlan(
        *inputs,
        model_picker.selected_model(),
        parameter_panel.selected_parameters(),
        methods=[name for name in METHODS if name in state.structured_methods] or METHODS,
        repetitions=state.structured_repetitions,
        requires_mentioned=schema_picker.requires_mentioned(),
    )
    session.start_experiment(ExperimentJob(api(), plan))


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
                on_click=session.stop,
                shortcut="Esc",
            )
        else:
            st.empty()
    if session.hint:
        st.warning(session.hint, icon=":material/info:")
    else:
        st.empty()


def render_generate() -> ResultView | None:
    render_buttons("Run", start_run)
    run = session.run
    with fresh_container("structured_result", run):
        if not run:
            st.caption("Output appears here")
            return None
        render_earlier_label(run.target, run.prompt)
        view = ResultView(run)
        if run.is_over:
            view.render_result(
                shown_error(run), on_retry=start_run, on_more_tokens=retry_with_max_tokens
            )
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
    experiment = session.experiment
    with fresh_container("structured_scores", experiment):
        if not experiment:
            st.caption("Measures how often each method returns valid output. Takes a few minutes.")
            return None
        render_earlier_label(experiment.plan.target, experiment.plan.prompt)
        view = BenchmarkView(experiment)
        if experiment.is_over:
            view.render_result(shown_error(experiment), on_retry=start_benchmark)
    return view


def render_earlier_label(target: TargetSchema, prompt: str) -> None:
    """Mark a result if the schema or the prompt has been changed since."""
    now = (schema_picker.selected_schema(), schema_picker.prompt_text())
    if label := result_text.earlier_label(is_schema=target != now[0], is_prompt=prompt != now[1]):
        st.badge(label, icon=":material/history:", color="orange")
    else:
        st.empty()


def shown_error(result: JobResult) -> ApiError | None:
    """Return the error of a result as it is to be shown: the callout above may show it already."""
    return result_text.service_error(result.error, is_ready=service.is_ready)


def stream(result: JobResult, view: ResultView | BenchmarkView | None) -> None:
    """Render the active job until it is over. Poll it even if the other tab is shown."""
    while not session.wait(RENDER_SECONDS):
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
schema_picker.mentioned_toggle()
mode = st.segmented_control(
    "Mode",
    [GENERATE, BENCHMARK],
    default=GENERATE,
    key="structured_mode",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)
with fresh_container("structured_view", mode):
    view = render_generate() if mode == GENERATE else render_benchmark()
if active:
    stream(active, view)
