"""The schema picker: schemas registered with the API, or a custom JSON Schema."""

from typing import Any

import streamlit as st

import strict_json
from api.errors import ApiError
from api.structured_response import ResponseType
from components.service_status import ServiceStatus, api
from sanitize.plain_text import plain_text
from structured.schema_editor import SchemaProblem, parse_schema, summarize_schema
from structured.target_schema import TargetSchema

CUSTOM = "Custom schema"
KEY, SCHEMA_KEY, PROMPT_KEY = "structured_type", "structured_schema", "structured_prompt"
MENTIONED_KEY = "structured_mentioned"
_TYPES_KEY = "structured_types"
EXAMPLES = {
    "recipe": "A quick lunch for two with eggs and spinach.",
    "event": "Anna and Ben plan the release party for 3 March 2027.",
    "contact": "Write to Maria Lopez of Acme at maria@acme.example or call +34 600 123 456.",
    "invoice": "Invoice 2041 of 5 May 2027 for Ada Stone: 3 lamps at 20.00 and a table at 150.00.",
    "sentiment": "The soup was cold, but the staff were lovely and we laughed all evening.",
    CUSTOM: "A film about a lighthouse keeper who finds a message in a bottle.",
}
_UNEDITED = tuple(EXAMPLES.values())
CUSTOM_SCHEMA: dict[str, Any] = {
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
    """Return the selected schema, or None if the custom schema is invalid."""
    state = st.session_state
    if response_type := state.get(_TYPES_KEY, {}).get(state.get(KEY)):
        return TargetSchema(response_type.schema_, registered_name=response_type.name)
    schema = parse_schema(state.get(SCHEMA_KEY) or "")
    return None if isinstance(schema, SchemaProblem) else TargetSchema(schema)


def prompt_text() -> str:
    """Return the prompt. An example that was not edited is always that of the selected schema."""
    state = st.session_state
    prompt = (state.get(PROMPT_KEY) or "").strip()
    return EXAMPLES.get(state.get(KEY) or "", "") if prompt in _UNEDITED else prompt


def requires_mentioned() -> bool:
    """Return True if optional fields that the prompt mentions are to be required."""
    return bool(st.session_state.get(MENTIONED_KEY, True))


def schema_picker(service: ServiceStatus) -> None:
    types = _response_types(service)
    _init_state(types)
    name = st.pills(
        "Schema",
        [*types, CUSTOM],
        format_func=lambda name: _type_label(name) if name in types else name,
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
    if st.session_state.get(PROMPT_KEY) in _UNEDITED:
        # A message that the browser sent before it got the new example has the former one.
        st.session_state[PROMPT_KEY] = prompt_text()
    st.text_area(
        "Prompt",
        key=PROMPT_KEY,
        height=90,
        placeholder="Describe what the output should contain.",
        persist_state="session",
    )


def mentioned_toggle() -> None:
    st.toggle(
        "Require mentioned fields",
        value=True,
        key=MENTIONED_KEY,
        help="Optional top-level fields that the prompt mentions become required. If off, they may "
        "be missing.",
        persist_state="session",
    )


def _response_types(service: ServiceStatus) -> dict[str, ResponseType]:
    """Return the registered types by name. They stay while the API is unreachable."""
    state = st.session_state
    if service.health and _TYPES_KEY not in state:
        try:
            state[_TYPES_KEY] = {item.name: item for item in api().response_types()}
        except ApiError:
            return {}  # a custom schema can still be edited, and running it shows the error
    types: dict[str, ResponseType] = state.get(_TYPES_KEY, {})
    return types


def _init_state(types: dict[str, ResponseType]) -> None:
    state = st.session_state
    state.setdefault(SCHEMA_KEY, strict_json.format_json(CUSTOM_SCHEMA))
    if state.get(KEY) not in (*types, CUSTOM):
        state[KEY] = next(iter(types), CUSTOM)
        _update_example()


def _update_example() -> None:
    """Set the prompt to the schema's example, unless the user has edited it."""
    state = st.session_state
    if state.get(PROMPT_KEY, "") in ("", *_UNEDITED):
        state[PROMPT_KEY] = EXAMPLES.get(state[KEY], "")


def _type_label(name: str) -> str:
    return plain_text(name.replace("_", " ").capitalize())


def _render_type(response_type: ResponseType) -> None:
    if response_type.description:
        st.caption(plain_text(response_type.description))
    with st.expander("View schema", icon=":material/schema:", key="structured_view_schema"):
        schema = strict_json.format_json(response_type.schema_)
        st.code(schema, language="json", wrap_lines=True, height=320)
        st.button(
            "Edit a copy",
            icon=":material/edit:",
            key="structured_copy",
            type="tertiary",
            on_click=_copy_to_editor,
            args=[schema],
        )


def _copy_to_editor(schema: str) -> None:
    st.session_state[SCHEMA_KEY] = schema
    st.session_state[KEY] = CUSTOM


def _render_editor() -> None:
    text = st.text_area(
        "JSON Schema",
        key=SCHEMA_KEY,
        height=320,
        help="Draft 4 to 2020-12. Validated when you leave the field. Remote references are not "
        "fetched.",
        persist_state="session",
    )
    schema = parse_schema(text or "")
    if isinstance(schema, SchemaProblem):
        _render_problem(schema)
    else:
        summary = summarize_schema(schema)
        label = f"Valid schema: {summary}" if summary else "Valid schema"
        st.badge(label, icon=":material/check:", color="green")


def _render_problem(problem: SchemaProblem) -> None:
    location = f" At {problem.location}:" if problem.excerpt else f" At {problem.location}."
    message = problem.message + (location if problem.location else "")
    st.warning(plain_text(message), icon=":material/edit_note:")
    if problem.excerpt:
        st.code(problem.excerpt, language=None)
