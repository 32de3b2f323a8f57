"""Answers from files in /chat: what is read and quoted, and when a model is asked."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.files.reading.document import Section
from backend.main import create_app
from backend.settings import Settings
from tests.support.fake_model_server import (
    FakeModelServer,
    Reply,
    replay,
    stream_reply,
)
from tests.support.requests import HELLO
from tests.support.sse import extensions_of, parse_chunks, progress_of, receipt_of, text_of
from tests.support.stored_files import store_file, store_row

pytestmark = pytest.mark.anyio
LARGE, SMALL = "some-8b", "some-135m"
MUSEUM = (
    "The harbour museum opened in 1931 in a former customs house. "
    "Its founder was the whaler Anna Brandt. "
    "Visitors pay four crowns on Sundays.\n\n"
    "The tower clock was bought from a church in Bergen. "
    "It has been wound by hand ever since.\n"
)
QUESTION = "When did the harbour museum open?"
OTHER_QUESTION = "Which enzyme copies the genome of a clock?"


def ask(question: str, file: str, **fields: Any) -> dict[str, Any]:
    """Return a request for a whole answer from a file; `search` has more options of that."""
    search = {"file_ids": [file]} | fields.pop("search", {})
    options = {"file_search": search} | fields.pop("smolchat", {})
    messages = [{"role": "user", "content": question}]
    return {"messages": messages, "smolchat": options, "model": SMALL} | fields


async def post(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post("/chat", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def post_stream(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = await client.post("/chat", json=body | {"stream": True})
    assert response.status_code == 200, response.text
    return parse_chunks(response.text)


def message_of(reply: dict[str, Any]) -> dict[str, Any]:
    return dict(reply["choices"][0]["message"])


def retrieval_of(reply: dict[str, Any]) -> dict[str, Any]:
    return dict(reply["smolchat"]["retrieval"])


def check_places(annotations: list[dict[str, Any]], text: str) -> None:
    for citation in annotations:
        assert citation["type"] == "file_citation"
        assert citation["quote"] == text[citation["start"] : citation["end"]] != ""


def completed(text: str) -> Reply:
    """Return a whole response with this text."""
    response = json.loads(replay("chat").chunks[0])
    response["choices"][0]["message"]["content"] = text
    return replay("chat", chunks=[json.dumps(response).encode()])


async def test_quotes_are_sentences_of_the_file_and_no_model_is_asked(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    file = await store_file(app, MUSEUM, "museum.txt")
    body = ask(QUESTION, file, search={"mode": "quotes"}, smolchat={"receipt": True})
    reply = await post(api_client, body)
    message, retrieval = message_of(reply), retrieval_of(reply)
    assert message["content"].startswith("“The harbour museum opened in 1931")
    check_places(message["annotations"], MUSEUM)
    [citation] = message["annotations"]
    assert (citation["file_id"], citation["filename"]) == (file, "museum.txt")
    assert (citation["index"], citation["match"]) == (len(message["content"]), "quote")
    assert reply["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert reply["smolchat"]["receipt"]["answered_by"] == "files"
    assert (retrieval["strategy"], retrieval["read"], retrieval["of"]) == ("quotes", 1, 1)
    assert retrieval["passages"][0]["text"] == MUSEUM[: len(retrieval["passages"][0]["text"])]
    assert model_server.requests == []


async def test_quotes_are_streamed_as_an_answer_is(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    body = ask(QUESTION, await store_file(app, MUSEUM), smolchat={"receipt": True})
    body |= {"stream_options": {"include_usage": True}}
    first, *chunks = await post_stream(api_client, body)
    whole = await post(api_client, body)
    assert first["choices"] == []
    assert first["smolchat"]["retrieval"] == retrieval_of(whole)
    assert text_of(chunks) == message_of(whole)["content"]
    last = [each["choices"][0] for each in chunks if each["choices"]][-1]
    assert (last["finish_reason"], last["delta"]) == (
        "stop",
        {"annotations": message_of(whole)["annotations"]},
    )
    assert [each["usage"] for each in chunks if "usage" in each] == [whole["usage"]]
    assert receipt_of(chunks)["answered_by"] == "files"


async def test_quotes_need_no_model_server(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"dmr_base_url": "http://127.0.0.1:1/v1"}))
    async with app.router.lifespan_context(app):
        body = ask(QUESTION, await store_file(app, MUSEUM))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert "1931" in message_of(await post(client, body))["content"]


@pytest.mark.parametrize("mode", ["quotes", "passages"])
async def test_files_that_do_not_say_are_offered_with_the_nearest_passage(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer, mode: str
) -> None:
    file = await store_file(app, MUSEUM, "museum.txt")
    body = ask(OTHER_QUESTION, file, search={"mode": mode})
    reply = await post(api_client, body)
    assert message_of(reply)["content"] == (
        "The files do not say. The passage that comes nearest is in museum.txt."
    )
    assert message_of(reply)["annotations"] == []
    assert retrieval_of(reply)["found"] is False
    assert retrieval_of(reply)["nearest"]["file_id"] == file
    assert not any(request.method == "POST" for request in model_server.requests)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_model_is_given_passages_and_its_answer_what_it_resembles(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, is_stream: bool
) -> None:
    file = await store_file(app, MUSEUM, sections=[Section(0, len(MUSEUM), page=3)])
    answer = ["It opened in 1931 in a customs house.", " It has a zoo."]
    body = ask(QUESTION, file, search={"mode": "passages"}, model=LARGE)
    if is_stream:
        model_server.replies.append(stream_reply(answer))
        chunks = await post_stream(api_client, body)
        content, retrievals = text_of(chunks), extensions_of(chunks)
        retrieval = retrievals[0]["retrieval"] | retrievals[1]["retrieval"]
        assert chunks[0]["choices"] == []
        last = [each["choices"][0] for each in chunks if each["choices"]][-1]
        annotations = last["delta"]["annotations"]
    else:
        model_server.replies.append(completed("".join(answer)))
        reply = await post(api_client, body)
        content, retrieval = message_of(reply)["content"], retrieval_of(reply)
        annotations = message_of(reply)["annotations"]
    assert content == "".join(answer)
    check_places(annotations, MUSEUM)
    [citation] = annotations
    assert (citation["match"], citation["page"], citation["index"]) == ("similar_passage", 3, 37)
    assert (retrieval["strategy"], retrieval["supported"], retrieval["sentences"]) == (
        "passages",
        1,
        2,
    )
    sent = model_server.requests[-1].body["messages"][-1]["content"]
    assert "former customs house" in sent
    assert "notes.txt, page 3" in sent
    assert sent.endswith(QUESTION)
    assert "smolchat" not in model_server.requests[-1].body


@pytest.mark.parametrize("mode", ["quotes", "passages", "whole"])
async def test_citation_has_the_page_of_its_sentence(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer, mode: str
) -> None:
    middle = MUSEUM.index("The tower clock")
    sections = [Section(0, middle, page=1), Section(middle, len(MUSEUM), page=2)]
    file = await store_file(app, MUSEUM, sections=sections)
    model_server.replies.append(completed("The tower clock is from a church in Bergen."))
    body = ask("Where was the clock bought?", file, search={"mode": mode}, model=LARGE)
    [citation] = message_of(await post(api_client, body))["annotations"]
    assert citation["quote"].startswith("The tower clock")
    assert citation["page"] == 2


@pytest.mark.parametrize(
    ("model", "text", "strategy"),
    [
        (SMALL, MUSEUM, "quotes"),
        ("unknown", MUSEUM, "quotes"),
        (LARGE, MUSEUM, "whole"),
        (LARGE, MUSEUM * 200, "passages"),
    ],
)
async def test_mode_auto_depends_on_the_model_and_the_length_of_the_text(
    app: FastAPI, api_client: httpx.AsyncClient, model: str, text: str, strategy: str
) -> None:
    file = await store_file(app, text)
    reply = await post(api_client, ask(QUESTION, file, model=model))
    assert retrieval_of(reply)["strategy"] == strategy


@pytest.mark.parametrize(
    ("task", "start"),
    [
        ("count", "“museum” is mentioned once in notes.txt."),
        ("mentions", "“museum” is mentioned once in notes.txt.\n\n- “The harbour museum opened"),
        ("first", "“The harbour museum opened in 1931 in a former customs house.”"),
        ("last", "“It has been wound by hand ever since.”"),
    ],
)
async def test_tasks_read_all_of_the_text_without_a_model(
    app: FastAPI,
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
    task: str,
    start: str,
) -> None:
    search = {"task": task, "phrase": "museum", "n": 1}
    reply = await post(api_client, ask("Do it.", await store_file(app, MUSEUM), search=search))
    assert message_of(reply)["content"].startswith(start)
    check_places(message_of(reply)["annotations"], MUSEUM)
    assert len(message_of(reply)["annotations"]) == 1
    assert (retrieval_of(reply)["strategy"], retrieval_of(reply)["task"]) == (task, task)
    assert model_server.requests == []


async def test_every_mention_in_every_file_is_counted_and_the_first_are_cited(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    texts = ["A whale sings. " * 150, "No fish here.", "The WHALE, the whale-boat; whales. " * 60]
    files = [await store_file(app, text, f"{n}.txt") for n, text in enumerate(texts)]
    body = ask('Whales, or rather "whale"!', files[0])
    body["smolchat"]["file_search"] = {"file_ids": files, "task": "count"}
    reply = await post(api_client, body)
    assert message_of(reply)["content"] == (
        "“whale” is mentioned 270 times in 2 of the 3 files: 150 in 0.txt, 120 in 2.txt."
    )
    citations = message_of(reply)["annotations"]
    assert len(citations) == 200
    assert {citation["match"] for citation in citations} == {"mention"}
    for file, text in zip(files, texts, strict=True):
        check_places([each for each in citations if each["file_id"] == file], text)
    assert (retrieval_of(reply)["total"], retrieval_of(reply)["files"]) == (270, 3)
    assert retrieval_of(reply)["read"] == retrieval_of(reply)["of"]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_summary_is_made_of_the_summaries_of_all_parts(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, is_stream: bool
) -> None:
    text = "".join(f"Sentence {n} is about ship number {n * n}. " for n in range(600))
    body = ask("Summarise it.", await store_file(app, text), search={"task": "summarise"})
    body["smolchat"] |= {"progress": True, "receipt": True}
    if is_stream:
        chunks = await post_stream(api_client, body | {"stream_options": {"include_usage": True}})
        content, receipt = text_of(chunks), receipt_of(chunks)
        [retrieval] = [each["retrieval"] for each in extensions_of(chunks) if "retrieval" in each]
        [usage] = [each["usage"] for each in chunks if each.get("usage")]
        parts = [each for each in progress_of(chunks) if each["phase"] == "summarising"]
    else:
        reply = await post(api_client, body)
        content, retrieval = message_of(reply)["content"], retrieval_of(reply)
        receipt, usage, parts = reply["smolchat"]["receipt"], reply["usage"], []
    prompts = [each.body["messages"][-1]["content"] for each in model_server.chat_requests]
    *asked, last = [prompt for prompt in prompts if "<part>" in prompt]
    assert len(asked) > 1
    assert all(f"ship number {n * n}." in "".join(asked) for n in range(600))
    assert last.count("The three main colours") == len(asked)  # as the model server replied
    assert content.startswith("The three main colours")
    assert (retrieval["strategy"], retrieval["read"]) == ("summarise", retrieval["of"])
    expected = [(n, len(asked)) for n in range(1, len(asked) + 1)] if is_stream else []
    assert [(part["part"], part["parts"]) for part in parts] == expected
    assert receipt["completion_tokens"] == usage["completion_tokens"] > 24 * len(asked)


async def test_question_about_all_of_the_text_is_told_with_the_task_that_suits_it(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    file = await store_file(app, MUSEUM)
    reply = await post(api_client, ask('How often is "Bergen" mentioned?', file))
    assert retrieval_of(reply)["suggested_task"] == {"task": "count", "phrase": "Bergen", "n": None}
    reply = await post(api_client, ask("Summarise the file.", file))
    assert message_of(reply)["content"].startswith("This question seems to be about all of the")
    assert retrieval_of(reply)["suggested_task"]["task"] == "summarise"


async def test_follow_up_has_the_rare_words_of_the_question_before_it(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    filler = "".join(f"House {n} was painted in colour {n * n}.\n\n" for n in range(200))
    brewery = "The brewery opened in 1890. Its founder was Karl Vogt. It sells beer.\n\n"
    file = await store_file(app, brewery + filler + MUSEUM)
    body = ask("Who was its founder?", file)
    assert "Karl Vogt" in message_of(await post(api_client, body))["content"]
    answer = {"role": "assistant", "content": "In 1931."}
    body["messages"] = [{"role": "user", "content": QUESTION}, answer, *body["messages"]]
    content = message_of(await post(api_client, body))["content"]
    assert "Anna Brandt" in content
    assert "Karl Vogt" not in content


async def test_refused_selections_say_what_is_wrong(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    pending = await store_row(app, "slow.pdf", "in_progress")
    damaged = await store_row(app, "bad.pdf", "error", error="damaged")
    store = (await api_client.post("/v1/vector_stores", json={"name": "a"})).json()["id"]
    cases: list[tuple[dict[str, Any], int, str, str]] = [
        ({}, 400, "", "No files to search"),
        ({"file_ids": ["file-none"]}, 404, ".file_ids", "not found"),
        ({"vector_store_ids": ["vs_none"]}, 404, ".vector_store_ids", "not found"),
        ({"vector_store_ids": [store]}, 400, "", "have no files"),
        ({"file_ids": [pending]}, 409, ".file_ids", "slow.pdf: The file is still being read (50%)"),
        ({"file_ids": [damaged]}, 409, ".file_ids", "bad.pdf: The file has no text: It is damaged"),
    ]
    for selection, status, param, message in cases:
        body = HELLO | {"smolchat": {"file_search": selection}}
        response = await api_client.post("/chat", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (status, f"smolchat.file_search{param}")
        assert message in error["message"]


async def test_unread_files_of_a_collection_are_left_out_and_named(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    files = [await store_file(app, MUSEUM), await store_row(app, "slow.pdf", "in_progress")]
    created = await api_client.post("/v1/vector_stores", json={"file_ids": files})
    body = ask(QUESTION, files[0])
    body["smolchat"]["file_search"] = {"vector_store_ids": [created.json()["id"]]}
    retrieval = retrieval_of(await post(api_client, body))
    assert (retrieval["found"], retrieval["files"]) == (True, 1)
    assert retrieval["unread"] == [
        {"file_id": files[1], "filename": "slow.pdf", "status": "in_progress"}
    ]
    await app.state.files.ingestion.delete(files[0])
    response = await api_client.post("/chat", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "file_not_read")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": [{"role": "system", "content": "Be kind."}]}, "messages"),
        ({"messages": [HELLO["messages"][0], {"role": "assistant", "content": "Hel"}]}, "messages"),
        ({"search": {"task": "count"}}, "smolchat.file_search.phrase"),
        ({"search": {"task": "count", "phrase": "?!"}}, "smolchat.file_search.phrase"),
        ({"search": {"mode": "whole"}, "text": MUSEUM * 200}, "smolchat.file_search.mode"),
        (
            {"search": {"mode": "quotes"}, "smolchat": {"tools": ["calculator"]}},
            "smolchat.file_search",
        ),
    ],
)
async def test_requests_that_cannot_be_answered_from_files_are_refused(
    app: FastAPI, api_client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    file = await store_file(app, fields.get("text", MUSEUM))
    fields = {name: value for name, value in fields.items() if name != "text"}
    response = await api_client.post("/chat", json=ask(QUESTION, file, **fields))
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
