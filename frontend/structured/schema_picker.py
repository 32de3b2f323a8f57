"""The choice of a form: one that the API knows by name, or a JSON Schema of one's own."""

from typing import Any

import streamlit as st

import strict_json
from api.errors import ApiError
from api.structured_response import ResponseType
from components.service_status import ServiceStatus, api
from sanitize.markdown_blocks import sanitize_markdown
from structured.schema_editor import SchemaProblem, parse_schema, summarize_schema
from structured.target_schema import TargetSchema

CUSTOM = "Your own schema"
KEY, SCHEMA, PROMPT = "structured_form", "structured_schema", "structured_prompt"
_TYPES = "structured_types"
EXAMPLES = {
    "recipe": "A quick lunch for two with eggs and spinach.",
    "event": "Anna and Ben plan the release party for 3 March 2027.",
    "contact": "Write to Maria Lopez of Acme at maria@acme.example or call +34 600 123 456.",
    "invoice": "Invoice 2041 of 5 May 2027 for Ada Stone: 3 lamps at 20.00 and a table at 150.00.",
    "sentiment": "The soup was cold, but the staff were lovely and we laughed all evening.",
    CUSTOM: "A film about a lighthouse keeper who finds a message in a bottle.",
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


def selected_schema() -> TargetSchema | None:
    """Give the form that is chosen now; none where what is typed is not a schema."""
    state = st.session_state
    if known := state.get(_TYPES, {}).get(state.get(KEY)):
        return TargetSchema(known.schema_, registered_name=known.name)
    schema = parse_schema(state.get(SCHEMA) or "")
    return None if isinstance(schema, SchemaProblem) else TargetSchema(schema)


def prompt_text() -> str:
    """Give what is to be asked."""
    return (st.session_state.get(PROMPT) or "").strip()


def schema_picker(found: ServiceStatus) -> None:
    types = _types(found)
    _init_state(types)
    name = st.pills(
        "Form",
        [*types, CUSTOM],
        format_func=lambda name: name.replace("_", " ").capitalize() if name in types else name,
        key=KEY,
        required=True,
        on_change=_update_example,
        persist_state="session",
    )
    if name in types:
        _render_type(types[name])
    else:
        _render_editor()


def prompt_input() -> None:
    st.text_area(
        "Prompt",
        key=PROMPT,
        height=90,
        placeholder="Say what the answer should be about.",
        persist_state="session",
    )


def _types(found: ServiceStatus) -> dict[str, ResponseType]:
    """List the types that the API knows; what was known stays while nothing answers."""
    state = st.session_state
    if found.health and _TYPES not in state:
        try:
            state[_TYPES] = {known.name: known for known in api().response_types()}
        except ApiError:
            return {}  # an own schema can be written still, and the run says what is wrong
    types: dict[str, ResponseType] = state.get(_TYPES, {})
    return types


def _init_state(types: dict[str, ResponseType]) -> None:
    state = st.session_state
    state.setdefault(SCHEMA, strict_json.format_json(OWN_SCHEMA))
    if state.get(KEY) not in (*types, CUSTOM):
        state[KEY] = next(iter(types), CUSTOM)
        _update_example()


def _update_example() -> None:
    """Put the form's example into the prompt, unless a person wrote something there."""
    state = st.session_state
    if state.get(PROMPT, "") in ("", *EXAMPLES.values()):
        state[PROMPT] = EXAMPLES.get(state[KEY], "")


def _render_type(known: ResponseType) -> None:
    if known.description:
        st.caption(sanitize_markdown(known.description))
    with st.expander("Its schema", icon=":material/schema:", key="structured_type"):
        schema = strict_json.format_json(known.schema_)
        st.code(schema, language="json", wrap_lines=True, height=320)
        st.button(
            "Change a copy of it",
            icon=":material/edit:",
            key="structured_copy",
            type="tertiary",
            on_click=_copy_to_editor,
            args=[schema],
        )


def _copy_to_editor(schema: str) -> None:
    st.session_state[SCHEMA] = schema
    st.session_state[KEY] = CUSTOM


def _render_editor() -> None:
    text = st.text_area(
        "JSON Schema",
        key=SCHEMA,
        height=320,
        help="Any draft from 4 to 2020-12. It is judged when you leave the field. Nothing in it is "
        "fetched or run.",
        persist_state="session",
    )
    schema = parse_schema(text or "")
    if isinstance(schema, SchemaProblem):
        _render_problem(schema)
    else:
        asked = summarize_schema(schema)
        told = f"A schema: {asked}" if asked else "A schema"
        st.badge(told, icon=":material/check:", color="green")


def _render_problem(problem: SchemaProblem) -> None:
    place = f" At {problem.place}:" if problem.excerpt else f" At {problem.place}."
    words = problem.message + (place if problem.place else "")
    st.warning(sanitize_markdown(words), icon=":material/edit_note:")
    if problem.excerpt:
        st.code(problem.excerpt, language=None)
