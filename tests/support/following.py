"""Chats that are stored, and the events of their conversations."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.waiting import wait_until

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event, with the data of one that is no chunk as text."""

    id: str
    data: Any

    @property
    def extensions(self) -> Json:
        return dict(self.data.get("smolchat", {})) if isinstance(self.data, dict) else {}


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    event_id = ""
    for line in lines:
        if line.startswith("id: "):
            event_id = line.removeprefix("id: ")
        elif line.startswith("data: "):
            text = line.removeprefix("data: ")
            yield Event(event_id, text if text == "[DONE]" else json.loads(text))


class Page:
    """What a client shows that follows a conversation: its answers, by their ids."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.reasoning: dict[str, str] = {}
        self.steps: dict[str, dict[str, Json]] = {}
        self.ends: dict[str, Json] = {}
        self.last_id: str | None = None
        self.is_done = False

    def add(self, event: Event) -> None:
        self.last_id = event.id
        if event.data == "[DONE]":
            self.is_done = True
            return
        assert "error" not in event.data, event.data
        answer = event.data["id"]
        if ids := event.extensions.get("conversation"):
            assert ids["answer_message"] == answer
            self.texts[answer], self.reasoning[answer], self.steps[answer] = "", "", {}
        if step := event.extensions.get("step"):
            self.steps[answer][step["id"]] = step
        if "state" in event.extensions:
            self.ends[answer] = event.extensions
        for choice in event.data["choices"]:
            self.texts[answer] += choice["delta"].get("content") or ""
            self.reasoning[answer] += choice["delta"].get("reasoning_content") or ""

    @property
    def text(self) -> str:
        [text] = self.texts.values()
        return text

    @property
    def state(self) -> str:
        [end] = self.ends.values()
        return str(end["state"])


def new_conversation(client: httpx.Client) -> str:
    return str(client.post("/conversations", json={}).json()["id"])


def stored_chat(conversation: str, *, stream: bool = True, **options: Any) -> Json:
    messages = [{"role": "user", "content": "Hi"}]
    smolchat = {"conversation": conversation} | options
    return {"messages": messages, "stream": stream, "smolchat": smolchat}


def stored_answers(client: httpx.Client, conversation: str) -> list[Json]:
    messages = client.get(f"/conversations/{conversation}").json()["messages"]
    return [message for message in messages if message["role"] == "assistant"]


def ended_answers(client: httpx.Client, conversation: str) -> list[Json]:
    """Return the answers as soon as there are some, and none is being written."""
    wait_until(lambda: _have_ended(stored_answers(client, conversation)))
    return stored_answers(client, conversation)


def _have_ended(answers: list[Json]) -> bool:
    return bool(answers) and all(answer["state"] != "writing" for answer in answers)


def follow(client: httpx.Client, conversation: str, last_id: str | None = None) -> Page:
    """Follow the answers in progress to their ends."""
    page = Page()
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", f"/conversations/{conversation}/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        for event in read_events(response.iter_lines()):
            page.add(event)
    assert page.is_done
    return page
