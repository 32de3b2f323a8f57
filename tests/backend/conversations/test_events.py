"""Following the answers of a conversation from several clients, and stopping them."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend.completions.active_answers import ActiveAnswers
from backend.conversations.conversation import Conversation, Message
from backend.conversations.events import ConversationEvents
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    stream_reply,
)
from tests.support.following import (
    Event,
    Page,
    ended_answers,
    follow,
    new_conversation,
    read_events,
    stored_answers,
    stored_chat,
)
from tests.support.requests import HELLO
from tests.support.tool_replies import call_reply
from tests.support.waiting import wait_until

Json = dict[str, Any]
WORDS = [f"wörd{number} \U0001f600 " for number in range(10)]
TEXT = "".join(WORDS)


@pytest.fixture
def client(model_server: FakeModelServer) -> Iterator[httpx.Client]:
    settings = settings_for(model_server)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def ask(pool: ThreadPoolExecutor, client: httpx.Client, body: Json) -> Future[httpx.Response]:
    return pool.submit(client.post, "/chat", json=body)


def writing(*words: str) -> Reply:
    """Return a reply that is never finished."""
    return Reply(headers=EVENTS, chunks=[chunk({"content": word}) for word in words], end="hang")


def wait_for_text(client: httpx.Client, conversation: str, text: str) -> None:
    wait_until(lambda: text in client.get(f"/conversations/{conversation}").text)


def test_followers_get_what_is_written_and_change_nothing(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(WORDS, interval_seconds=0.05))
    conversation = new_conversation(client)
    asked = ask(pool, client, stored_chat(conversation, receipt=True))
    wait_until(lambda: bool(stored_answers(client, conversation)))
    with client.stream("GET", f"/conversations/{conversation}/events") as leaving:
        next(leaving.iter_lines())
    pages = [pool.submit(follow, client, conversation) for _ in range(3)]
    receipt = asked.result().text.split('"receipt":')[1]
    [answer] = stored_answers(client, conversation)
    for page in (each.result() for each in pages):
        assert (page.text, page.state) == (TEXT, "finished")
        assert list(page.texts) == [answer["id"]]
        assert page.ends[answer["id"]]["receipt"] == answer["receipt"]
    assert f'"completion_tokens":{answer["receipt"]["completion_tokens"]}' in receipt


def test_first_events_are_the_ids_and_all_of_the_text_so_far(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer
) -> None:
    parts = [chunk({"reasoning_content": "Hm."}), *(chunk({"content": w}) for w in ("On", "ce"))]
    model_server.replies.append(Reply(headers=EVENTS, chunks=parts, end="hang"))
    conversation = new_conversation(client)
    ask(pool, client, stored_chat(conversation))
    wait_for_text(client, conversation, "Once")
    with client.stream("GET", f"/conversations/{conversation}/events") as response:
        events = read_events(response.iter_lines())
        begin, text = next(events), next(events)
        client.post(f"/conversations/{conversation}/stop")
        *_, end, done = events
    question, answer = client.get(f"/conversations/{conversation}").json()["messages"]
    ids = {"id": conversation, "user_message": question["id"], "answer_message": answer["id"]}
    assert begin.extensions == {"conversation": ids}
    delta = {"role": "assistant", "content": "Once", "reasoning_content": "Hm."}
    assert text.data["choices"] == [{"index": 0, "delta": delta, "finish_reason": None}]
    assert {each.data["id"] for each in (begin, text, end)} == {answer["id"]}
    assert end.extensions == {"receipt": answer["receipt"], "state": "stopped"}
    assert done.data == "[DONE]"


@pytest.mark.parametrize("is_active", [True, False])
def test_last_event_id_goes_on_after_every_event(
    client: httpx.Client,
    pool: ThreadPoolExecutor,
    model_server: FakeModelServer,
    *,
    is_active: bool,
) -> None:
    """A connection that breaks after any of the events is made again at its last id."""
    model_server.replies.append(stream_reply(WORDS, interval_seconds=0.05))
    conversation = new_conversation(client)
    asked = ask(pool, client, stored_chat(conversation))
    wait_until(lambda: bool(stored_answers(client, conversation)))
    events: list[Event] = []
    with client.stream("GET", f"/conversations/{conversation}/events") as response:
        for event in read_events(response.iter_lines()):
            events.append(event)
            if is_active and len(events) % 3 == 0:  # while it is written, too
                assert_resumed(client, conversation, events)
    asked.result()
    for count in range(1, len(events)):
        assert_resumed(client, conversation, events[:count])


def assert_resumed(client: httpx.Client, conversation: str, events: list[Event]) -> None:
    page = Page()
    for event in events:
        page.add(event)
    headers = {"Last-Event-ID": page.last_id or ""}
    begins = 0
    with client.stream("GET", f"/conversations/{conversation}/events", headers=headers) as response:
        for event in read_events(response.iter_lines()):
            begins += "conversation" in event.extensions
            page.add(event)
    assert begins == 0
    assert (page.text, page.state) == (TEXT, "finished")


@pytest.mark.parametrize(
    "event_id", ["nonsense", "1;2", "9" * 400, "1;" * 50, "-1", "1;1,9999,7,0,0"]
)
def test_position_that_does_not_fit_begins_again(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer, event_id: str
) -> None:
    model_server.replies.append(writing("Once"))
    conversation = new_conversation(client)
    ask(pool, client, stored_chat(conversation))
    wait_for_text(client, conversation, "Once")
    page = Page()
    headers = {"Last-Event-ID": event_id}
    with client.stream("GET", f"/conversations/{conversation}/events", headers=headers) as response:
        events = read_events(response.iter_lines())
        page.add(next(events))
        client.post(f"/conversations/{conversation}/stop")
        for event in events:
            page.add(event)
    assert (page.text, page.state) == ("Once", "stopped")


def test_follower_that_waits_sees_answers_begin(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["One"]), stream_reply(["Two"])]
    conversation = new_conversation(client)
    page = Page()
    path = f"/conversations/{conversation}/events?wait=true"
    with client.stream("GET", path) as response:
        lines = response.iter_lines()
        position = next(lines).removeprefix("id: ")
        for _ in range(2):
            ask(pool, client, stored_chat(conversation))
            for event in read_events(lines):
                page.add(event)
                if "state" in event.extensions:
                    break
    assert list(page.texts.values()) == ["One", "Two"]
    later = follow(client, conversation, position)
    assert later.texts == page.texts
    assert follow(client, conversation).texts == {}


def test_answers_side_by_side_are_told_apart(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer
) -> None:
    model_server.replies += [
        stream_reply(list(word), interval_seconds=0.05) for word in ("Cat", "Dog")
    ]
    conversation = new_conversation(client)
    first = ask(pool, client, stored_chat(conversation))
    wait_until(lambda: bool(stored_answers(client, conversation)))
    question = client.get(f"/conversations/{conversation}").json()["messages"][0]["id"]
    second = ask(pool, client, stored_chat(conversation, parent=question))
    wait_until(lambda: len(stored_answers(client, conversation)) == 2)
    page = follow(client, conversation)
    assert first.result().is_success
    assert second.result().is_success
    answers = {each["id"]: each["content"] for each in stored_answers(client, conversation)}
    assert page.texts.items() <= answers.items()
    assert sorted(answers.values()) == ["Cat", "Dog"]
    assert list(answers)[1] in page.texts


def test_steps_of_tools_are_followed(
    client: httpx.Client, pool: ThreadPoolExecutor, model_server: FakeModelServer
) -> None:
    client.patch("/tools/calculator", json={"approval": "ask"})
    release = threading.Event()
    call = call_reply(("calculator", {"expression": "6 * 7"}))
    model_server.replies.append(replace(call, release=release))
    conversation = new_conversation(client)
    asked = ask(pool, client, stored_chat(conversation, tools=["calculator"]))
    wait_until(lambda: bool(stored_answers(client, conversation)))
    following = pool.submit(follow, client, conversation)
    wait_until(lambda: len(model_server.chat_requests) == 1)
    release.set()
    page = following.result()
    assert asked.result().is_success
    [steps] = page.steps.values()
    [step] = steps.values()
    assert (step["tool"], step["state"]) == ("calculator", "awaiting_approval")
    assert page.state == "finished"


@pytest.mark.anyio
async def test_citations_of_an_answer_that_another_process_writes_come_at_its_end(
    database: Database,
) -> None:
    repository, answers = ConversationRepository(database), ActiveAnswers(0)
    conversation = Conversation()
    await repository.insert(conversation)
    answer = Message(role="assistant", content="It ", state="writing")
    await repository.create_turn(conversation.id, Message(role="user", content="When?"), answer)
    events = ConversationEvents(database, answers, conversation.id).stream()
    assert b"annotations" not in await anext(events)
    details = {"annotations": [{"file_id": "f"}], "retrieval": {"strategy": "passages"}}
    fields = {"content": "It opened.", "state": "finished"} | details
    await repository.update_answer(answer.id, fields)
    answers.notify(conversation.id, rows=True)
    lines = b"".join([part async for part in events]).decode().splitlines()
    text, delta, end, done = list(read_events(lines))
    assert text.data["choices"][0]["delta"] == {"content": "opened."}
    assert delta.data["choices"][0]["delta"] == {"annotations": details["annotations"]}
    assert end.extensions["retrieval"] == details["retrieval"]
    assert done.data == "[DONE]"


def test_conversation_without_answers_in_progress_is_done_at_once(client: httpx.Client) -> None:
    assert follow(client, new_conversation(client)).texts == {}
    missing = client.get("/conversations/missing/events")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "conversation_not_found")
    assert client.post("/conversations/missing/stop").status_code == 404


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("is_detached", [True, False])
def test_stop_ends_the_answer_and_its_own_stream(
    client: httpx.Client,
    pool: ThreadPoolExecutor,
    model_server: FakeModelServer,
    *,
    is_stream: bool,
    is_detached: bool,
) -> None:
    model_server.replies.append(writing("Once"))
    conversation = new_conversation(client)
    body = stored_chat(conversation, stream=is_stream, detach=is_detached)
    asked = ask(pool, client, body)
    wait_until(lambda: bool(model_server.chat_requests))
    if is_stream:
        wait_for_text(client, conversation, "Once")
    assert is_active(client, conversation)
    assert client.post(f"/conversations/{conversation}/stop").json() == {"stopped": 1}
    [answer] = ended_answers(client, conversation)
    assert (answer["state"], answer["error"]) == ("stopped", None)
    assert model_server.chat_requests[0].disconnected.wait(1)
    response = asked.result()
    assert response.status_code == (200 if is_stream else 409)
    assert '"answer_stopped"' in response.text
    assert not is_active(client, conversation)
    assert client.post(f"/conversations/{conversation}/stop").json() == {"stopped": 0}


def is_active(client: httpx.Client, conversation: str) -> bool:
    listed = client.get("/conversations").json()["data"]
    return any(each["active"] for each in listed if each["id"] == conversation)


@pytest.mark.parametrize("is_detached", [True, False])
def test_deleting_the_conversation_ends_its_answer(
    client: httpx.Client,
    pool: ThreadPoolExecutor,
    model_server: FakeModelServer,
    *,
    is_detached: bool,
) -> None:
    model_server.replies.append(writing("Once"))
    conversation = new_conversation(client)
    asked = ask(pool, client, stored_chat(conversation, detach=is_detached))
    wait_for_text(client, conversation, "Once")
    following = pool.submit(client.get, f"/conversations/{conversation}/events")
    assert client.delete(f"/conversations/{conversation}").is_success
    assert model_server.chat_requests[0].disconnected.wait(5)
    assert '"conversation_not_found"' in asked.result().text
    assert following.result().text.rstrip().endswith("}}")
    assert '"conversation_not_found"' in following.result().text
    assert client.post(f"/conversations/{conversation}/restore").is_success
    answer = client.get(f"/conversations/{conversation}").json()["messages"][-1]
    assert (answer["content"], answer["state"]) == ("Once", "stopped")


def test_unstored_chat_is_not_followed(client: httpx.Client, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["Hi"]))
    assert client.post("/chat", json=HELLO).is_success
    assert client.get("/status").json()["detached"] == 0
