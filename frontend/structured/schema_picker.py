"""The choice of a form: one that the API knows by name, or a JSON Schema of one's own."""

from typing import Any

import streamlit as st

import strict_json
from api.errors import ApiError
from api.structured_response import ResponseType
from components.service_status import Service, api
from sanitize.markdown_blocks import safe_markdown
from structured.schema_editor import Problem, described, read_schema
from structured.target_schema import Form

OWN = "Your own schema"
KEY, SCHEMA, PROMPT = "structured_form", "structured_schema", "structured_prompt"
_TYPES = "structured_types"
EXAMPLES = {
    "recipe": "A quick lunch for two with eggs and spinach.",
    "event": "Anna and Ben plan the release party for 3 March 2027.",
    "contact": "Write to Maria Lopez of Acme at maria@acme.example or call +34 600 123 456.",
    "invoice": "Invoice 2041 of 5 May 2027 for Ada Stone: 3 lamps at 20.00 and a table at 150.00.",
    "sentiment": "The soup was cold, but the staff were lovely and we laughed all evening.",
    OWN: "A film about a lighthouse keeper who finds a message in a bottle.",
}
OWN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "year": {"type": "integer", "minimum": 1900, "maximum": 2030},
        "genres": {
            "type": "array",
            "items": {"enum": ["drama", "comedy", "thriller", "documentary"]},
            "minItems": 1,
            "uniqueItems": True,
        },
    },
    "required": ["title", "year", "genres"],
    "additionalProperties": False,
}


def chosen() -> Form | None:
    """Give the form that is chosen now; none where what is typed is not a schema."""
    state = st.session_state
    if known := state.get(_TYPES, {}).get(state.get(KEY)):
        return Form(known.schema_, registered_name=known.name)
    schema = read_schema(state.get(SCHEMA) or "")
    return None if isinstance(schema, Problem) else Form(schema)


def prompt() -> str:
    """Give what is to be asked."""
    return (st.session_state.get(PROMPT) or "").strip()


def form_choice(found: Service) -> None:
    types = _types(found)
    _begin(types)
    name = st.pills(
        "Form",
        [*types, OWN],
        format_func=lambda name: name.replace("_", " ").capitalize() if name in types else name,
        key=KEY,
        required=True,
        on_change=_follow,
        persist_state="session",
    )
    if name in types:
        _draw_type(types[name])
    else:
        _draw_editor()


def prompt_field() -> None:
    st.text_area(
        "Prompt",
        key=PROMPT,
        height=90,
        placeholder="Say what the answer should be about.",
        persist_state="session",
    )


def _types(found: Service) -> dict[str, ResponseType]:
    """List the types that the API knows; what was known stays while nothing answers."""
    state = st.session_state
    if found.health and _TYPES not in state:
        try:
            state[_TYPES] = {known.name: known for known in api().response_types()}
        except ApiError:
            return {}  # an own schema can be written still, and the run says what is wrong
    types: dict[str, ResponseType] = state.get(_TYPES, {})
    return types


def _begin(types: dict[str, ResponseType]) -> None:
    state = st.session_state
    state.setdefault(SCHEMA, strict_json.written(OWN_SCHEMA))
    if state.get(KEY) not in (*types, OWN):
        state[KEY] = next(iter(types), OWN)
        _follow()


def _follow() -> None:
    """Put the form's example into the prompt, unless a person wrote something there."""
    state = st.session_state
    if state.get(PROMPT, "") in ("", *EXAMPLES.values()):
        state[PROMPT] = EXAMPLES.get(state[KEY], "")


def _draw_type(known: ResponseType) -> None:
    if known.description:
        st.caption(safe_markdown(known.description))
    with st.expander("Its schema", icon=":material/schema:", key="structured_type"):
        schema = strict_json.written(known.schema_)
        st.code(schema, language="json", wrap_lines=True, height=320)
        st.button(
            "Change a copy of it",
            icon=":material/edit:",
            key="structured_copy",
            type="tertiary",
            on_click=_copy,
            args=[schema],
        )


def _copy(schema: str) -> None:
    st.session_state[SCHEMA] = schema
    st.session_state[KEY] = OWN


def _draw_editor() -> None:
    text = st.text_area(
        "JSON Schema",
        key=SCHEMA,
        height=320,
        help="Any draft from 4 to 2020-12. It is judged when you leave the field. Nothing in it is "
        "fetched or run.",
        persist_state="session",
    )
    schema = read_schema(text or "")
    if isinstance(schema, Problem):
        _draw_problem(schema)
    else:
        asked = described(schema)
        told = f"A schema: {asked}" if asked else "A schema"
        st.badge(told, icon=":material/check:", color="green")


def _draw_problem(problem: Problem) -> None:
    place = f" At {problem.place}:" if problem.excerpt else f" At {problem.place}."
    words = problem.message + (place if problem.place else "")
    st.warning(safe_markdown(words), icon=":material/edit_note:")
    if problem.excerpt:
        st.code(problem.excerpt, language=None)
