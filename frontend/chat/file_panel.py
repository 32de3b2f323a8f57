"""The files of a chat, beside its input: which are attached, how they are used, and tasks."""

from dataclasses import replace

import streamlit as st

from chat import file_actions
from files.attachments import (
    MODE_HELP,
    MODES,
    Attachments,
    attach,
    attachments,
)
from files.collection_list import name_of
from files.file_text import count_text, short_name
from files.library import Library, library
from files.retrieval_text import TASKS
from sanitize.plain_text import plain_text

_ADDED_KEY, _PHRASE_KEY, _COUNT_KEY = "chat_file_added", "chat_file_phrase", "chat_file_count"
_FILE, _COLLECTION = "file", "collection"
_MAX_SHOWN = 20
_DEFAULT_COUNT, _MAX_COUNT = 5, 50
_LABEL_CHARACTERS = 30
DELETED = "Deleted"

state = st.session_state


def file_panel(*, is_answering: bool) -> None:
    """Render the button that opens the files of this chat."""
    attached, shown = attachments(), library().get()
    label = _label(attached, shown)
    with st.popover(label, icon=":material/attach_file:", key="chat_file_panel", type="tertiary"):
        _render_attached(attached, shown)
        _render_addition(attached, shown)
        if attached:
            _render_mode(attached)
            _render_tasks(is_answering=is_answering)
        st.page_link("app_pages/files.py", label="Manage files", icon=":material/folder:")


def _label(attached: Attachments, shown: Library) -> str:
    names = _names(attached, shown)
    if not names:
        return "Files"
    name = next(iter(names.values()))
    if len(name) > _LABEL_CHARACTERS:
        name = f"{name[:_LABEL_CHARACTERS]}…"
    others = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return plain_text(f"{name}{others} · {MODES[attached.mode]}")


def _names(attached: Attachments, shown: Library) -> dict[str, str]:
    """Return the names of what is attached, by ids; collections come first."""
    names = dict[str, str]()
    for each in attached.collection_ids:
        collection = shown.collections_by_id.get(each)
        names[each] = name_of(collection) if collection else DELETED
    for each in attached.file_ids:
        file = shown.files_by_id.get(each)
        names[each] = short_name(file.filename) if file else DELETED
    return names


def _render_attached(attached: Attachments, shown: Library) -> None:
    names = _names(attached, shown)
    if not names:
        st.caption("Attach files, and answers are given from them, with citations.")
    for attached_id, name in list(names.items())[:_MAX_SHOWN]:
        with st.container(
            key=f"chat_attached_{attached_id}",
            horizontal=True,
            vertical_alignment="center",
            gap="xsmall",
        ):
            st.text(f"{name}{_note(attached_id, shown)}", width="stretch")
            st.button(
                "Remove",
                icon=":material/close:",
                key=f"chat_detach_{attached_id}",
                type="tertiary",
                on_click=_detach,
                args=[attached_id],
            )
    if len(names) > _MAX_SHOWN:
        st.caption(f"and {len(names) - _MAX_SHOWN:,} more")
        st.button("Remove all", key="chat_detach_all", type="tertiary", on_click=_detach_all)


def _note(attached_id: str, shown: Library) -> str:
    """Return what keeps a file from being searched, or how many a collection has."""
    if collection := shown.collections_by_id.get(attached_id):
        return f" · {count_text(collection.file_counts.completed, 'file')}"
    file = shown.files_by_id.get(attached_id)
    if file and file.is_being_read:
        return f" · being read, {file.smolchat.progress or 0:.0%}"
    return " · could not be read" if file and file.status == "error" else ""


def _render_addition(attached: Attachments, shown: Library) -> None:
    """Render the choice of what else to attach, empty again after each choice."""
    options = [
        (_COLLECTION, each.id)
        for each in shown.collections
        if each.id not in attached.collection_ids
    ]
    options += [
        (_FILE, each.id)
        for each in shown.files
        if each.id not in attached.file_ids and each.status != "error"
    ]
    if not options:
        st.caption("No other files" if attached else "No files yet")
        return
    key = f"{_ADDED_KEY}_{len(attached.collection_ids)}_{len(attached.file_ids)}"
    st.selectbox(
        "Attach",
        options,
        format_func=lambda option: _option_label(option, shown),
        index=None,
        key=key,
        placeholder="A file or a collection",
        on_change=_add,
        args=[key],
    )


def _option_label(option: tuple[str, str], shown: Library) -> str:
    kind, option_id = option
    if kind == _COLLECTION:
        return f"Collection: {name_of(shown.collections_by_id[option_id])}"
    return short_name(shown.files_by_id[option_id].filename)


def _render_mode(attached: Attachments) -> None:
    # A key for each mode: what a browser still sends of an older one is ignored.
    key = f"chat_file_mode_{attached.mode}"
    st.segmented_control(
        "Answers",
        list(MODES),
        default=attached.mode,
        format_func=MODES.__getitem__,
        required=True,
        key=key,
        on_change=lambda: attach(replace(attached, mode=state[key])),
        help=MODE_HELP,
    )


def _render_tasks(*, is_answering: bool) -> None:
    with st.expander("All of the text", icon=":material/manage_search:", key="chat_file_tasks"):
        phrase = st.text_input("Word or phrase", key=_PHRASE_KEY, max_chars=200)
        count = st.number_input(
            "Number of sentences", 1, _MAX_COUNT, _DEFAULT_COUNT, key=_COUNT_KEY
        )
        with st.container(horizontal=True, gap="xsmall", key="chat_file_task_buttons"):
            for task, label in TASKS.items():
                needs_phrase = task in ("mentions", "count")
                st.button(
                    label,
                    key=f"chat_file_task_{task}",
                    on_click=file_actions.run_task,
                    args=[task, phrase.strip(), int(count)],
                    disabled=is_answering or (needs_phrase and not phrase.strip()),
                )


def _add(key: str) -> None:
    if choice := state.get(key):
        kind, chosen_id = choice
        attached = attachments()
        attach(
            attached.with_collection(chosen_id)
            if kind == _COLLECTION
            else attached.with_file(chosen_id)
        )


def _detach(attached_id: str) -> None:
    attach(attachments().without(attached_id))


def _detach_all() -> None:
    attach(Attachments(mode=attachments().mode))
