"""All files and collections as the API lists them, shared by all sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import streamlit as st

from api.errors import ApiError
from api.files import Collection, FilesClient, StoredFile
from components.background_value import BackgroundValue
from components.service_status import api


@dataclass(frozen=True)
class Library:
    """What there is. What was there last stays, with the `error`, while the API is unreachable."""

    files: list[StoredFile] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)
    error: ApiError | None = None

    @cached_property
    def files_by_id(self) -> Mapping[str, StoredFile]:
        return {file.id: file for file in self.files}

    @cached_property
    def collections_by_id(self) -> Mapping[str, Collection]:
        return {collection.id: collection for collection in self.collections}

    @property
    def is_reading(self) -> bool:
        return any(file.is_being_read for file in self.files)


@st.cache_resource(show_spinner=False)
def files_client() -> FilesClient:
    return FilesClient(api())


@st.cache_resource(show_spinner=False)
def library() -> BackgroundValue[Library]:
    client, last = files_client(), Library()

    def load() -> Library:
        nonlocal last
        try:
            last = Library(client.list_all(), client.collections())
        except ApiError as error:
            last = Library(last.files, last.collections, error)
        return last

    return BackgroundValue(load)
