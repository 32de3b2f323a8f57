"""Probing a model server's grammar support: once per model, and through the queue."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import sleep
from typing import Any

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    MODEL_PATH,
    FakeModelServer,
    RecordedRequest,
    Reply,
    ServerVariant,
    chunk,
    replay,
    running_fake_model_server,
    stream_reply,
)
from tests.support.model_server_variants import DMR, LLAMA_SERVER, LOADING, OLLAMA
from tests.support.requests import STREAMED
from tests.support.structured_requests import (
    ANN,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)
from tests.support.waiting import wait_until

PROBE = '"Say hello."'
PROBE_JSON = '{"zq": "w7k"}'


def probes(model_server: FakeModelServer) -> list[RecordedRequest]:
    return [chat for chat in model_server.chat_requests if PROBE in json.dumps(chat.body)]


@pytest.mark.parametrize(
    ("changes", "options"), [({"max_concurrent": 1}, {}), ({}, {"deterministic": True})], ids=str
)
def test_probe_waits_in_the_queue(
    changes: dict[str, Any], options: dict[str, Any], model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [stream_reply(["Hello"], release=held), PROBE_PASSED, stream_text(ANN)]
    settings = settings_for(model_server, **changes)
    with running_api(settings) as url, ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{url}/chat", json=STREAMED | {"smolchat": options})
        wait_until(lambda: len(model_server.chat_requests) == 1)
        second = pool.submit(post, url, structured_request())
        sleep(0.3)
        assert not probes(model_server)
        held.set()
        assert (first.result().status_code, second.result()[0]) == (200, 200)


def test_concurrent_requests_share_one_probe(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [
        Reply(chunks=PROBE_PASSED.chunks, delay_seconds=0.2),
        *[stream_text(ANN)] * 5,
    ]
    with ThreadPoolExecutor() as pool:
        responses = list(pool.map(lambda _: post(api_url, structured_request()), range(5)))
    assert [status for status, _ in responses] == [200] * 5
    assert len(probes(model_server)) == 1


def test_request_does_not_wait_for_the_probe_of_another_model(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [
        Reply(chunks=PROBE_PASSED.chunks, release=held),
        PROBE_PASSED,
        stream_text(ANN),
        stream_text(ANN),
    ]
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(post, api_url, structured_request(model="ai/slow"))
        wait_until(lambda: len(probes(model_server)) == 1)
        assert post(api_url, structured_request())[0] == 200
        held.set()
        assert slow.result()[0] == 200


def test_disconnect_during_a_probe_lets_the_next_request_probe(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [Reply(end="hang"), PROBE_PASSED, stream_text(ANN)]
    with ThreadPoolExecutor() as pool:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{api_url}/structured", json=structured_request(), timeout=0.5)
        assert pool.submit(post, api_url, structured_request()).result()[0] == 200
    assert len(probes(model_server)) == 2
    assert probes(model_server)[0].disconnected.is_set()


def json_reply(payload: Any, status: int = 200) -> Reply:
    return Reply(status, JSON, [json.dumps(payload).encode()])


def answer(message: dict[str, Any], finish_reason: str | None = "stop") -> Reply:
    choice = {"index": 0, "message": {"role": "assistant"} | message}
    return json_reply({"choices": [choice | {"finish_reason": finish_reason}]})


VLLM = replace(
    LLAMA_SERVER, models=json_reply({"data": [{"id": "ai/smollm2", "owned_by": "vllm"}]})
)

THOUGHTS = "Hmm, a greeting? " * 60
ENFORCED = {
    "plain": answer({"content": PROBE_JSON}),
    "whitespace": answer({"content": '\n {"zq"  :\n"w7k"}\n'}),
    "fence": answer({"content": f"```json\n{PROBE_JSON}\n```"}),
    "reasoning_content": answer({"content": PROBE_JSON, "reasoning_content": THOUGHTS}),
    "reasoning": answer({"content": PROBE_JSON, "reasoning": THOUGHTS}),
    "tags": answer({"content": f"<think>{THOUGHTS}</think>\n\n{PROBE_JSON}"}),
    "closing tag": answer({"content": f"{THOUGHTS}</think>{PROBE_JSON}"}),
    "tags and fence": answer({"content": f"<think>{THOUGHTS}</think>```\n{PROBE_JSON}\n```"}),
    "all in reasoning_content": answer({"content": None, "reasoning_content": PROBE_JSON}),
    "all in reasoning": answer({"content": "", "reasoning": f"{THOUGHTS}\n{PROBE_JSON}"}),
    "blocks": answer(
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHTS}]},
                {"type": "text", "text": PROBE_JSON},
            ]
        }
    ),
    "ends by length": answer({"content": PROBE_JSON}, "length"),
    "events": Reply(headers=EVENTS, chunks=[chunk({"content": PROBE_JSON}), chunk({}, "stop")]),
}
IGNORED = {
    "prose": answer({"content": "Hello!"}),
    "prose with the answer": answer({"content": f"Sure! {PROBE_JSON} I hope that helps."}),
    "other JSON": answer({"content": '{"hello": "world"}'}),
    "reasoning and prose": answer({"content": "Hello!", "reasoning_content": PROBE_JSON}),
    "tags and prose": answer({"content": f"<think>{PROBE_JSON}</think>Hello!"}),
}
OPEN = {
    "reasons too long": answer({"content": None, "reasoning_content": THOUGHTS}, "length"),
    "reasons too long in tags": answer({"content": f"<think>{THOUGHTS}"}, "length"),
    "reasons too long without tags": answer({"content": THOUGHTS}, "length"),
    "truncated": answer({"content": '{"zq": '}, "length"),
    "filtered": answer({"content": "I cannot."}, "content_filter"),
    "empty": answer({"content": ""}),
    "null": answer({"content": None}),
    "busy": Reply(429),
    "unavailable": Reply(503, chunks=[b"service unavailable"]),
    "cut": replay("chat", end="cut"),
    "load failed": replay("err-load-broken-file"),
    "no model": json_reply({"error": {"message": "model not found", "code": 404}}, 404),
}


@dataclass(frozen=True)
class ScriptedVariant(ServerVariant):
    """A server whose replies depend on the request."""

    script: Callable[[dict[str, Any]], Reply | None] | None = None

    def reply_to(self, body: dict[str, Any]) -> Reply:
        assert self.script
        is_structured = PROBE not in json.dumps(body)
        fallback = stream_text(ANN) if is_structured else answer({"content": "Hello!"})
        return self.script(body) or fallback


@contextmanager
def running_pair(
    script: Callable[[dict[str, Any]], Reply | None],
    base: ServerVariant = LLAMA_SERVER,
    **fields: Any,
) -> Iterator[tuple[str, FakeModelServer]]:
    """Run a scripted model server, and the API in front of it."""
    variant = ScriptedVariant(
        base.prefixes, base.models, unknown_route=base.unknown_route, script=script
    )
    with (
        running_fake_model_server(variant=variant) as server,
        running_api(settings_for(server, **fields)) as url,
    ):
        yield url, server


def to_probe(reply: Reply) -> Callable[[dict[str, Any]], Reply | None]:
    return lambda body: reply if PROBE in json.dumps(body) else None


def has_grammar(url: str) -> Any:
    status, response = post(url, structured_request())
    assert (status, response.get("parsed")) == (200, {"age": 31, "name": "Ann"})
    return response["has_grammar"]


@pytest.mark.parametrize("reply", ENFORCED.values(), ids=ENFORCED)
def test_answer_that_keeps_to_the_schema_shows_grammar_support(reply: Reply) -> None:
    with running_pair(to_probe(reply)) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [True, True]
        assert len(probes(server)) == 1


@pytest.mark.parametrize("reply", IGNORED.values(), ids=IGNORED)
def test_other_answer_shows_that_there_is_no_grammar_support(reply: Reply) -> None:
    with running_pair(to_probe(reply)) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [False, False]
        assert len(probes(server)) == 1


@pytest.mark.parametrize("reply", OPEN.values(), ids=OPEN)
def test_probe_that_decides_nothing_is_sent_again_by_the_next_request(reply: Reply) -> None:
    with running_pair(to_probe(reply)) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [None, None]
        assert len([probe for probe in probes(server) if "response_format" in probe.body]) == 2
        assert isinstance(server.variant, ScriptedVariant)
        server.variant = replace(server.variant, script=to_probe(ENFORCED["plain"]))
        assert has_grammar(url) is True
        [structured, *_] = [r for r in server.chat_requests if r not in probes(server)]
        assert "response_format" in structured.body  # it is tried while the question is open


def test_probe_that_is_not_answered_leaves_time_for_the_answer() -> None:
    with running_pair(to_probe(Reply(end="hang")), structured_seconds=1.5) as (url, server):
        assert has_grammar(url) is None
        assert probes(server)[0].disconnected.is_set()


def test_requests_that_waited_for_a_probe_do_not_repeat_it() -> None:
    script = to_probe(Reply(429, delay_seconds=0.5))
    with running_pair(script) as (url, server), ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda _: has_grammar(url), range(4))) == [None] * 4
        assert len(probes(server)) == 1


def refusing(*fields: str, reply: Reply) -> Callable[[dict[str, Any]], Reply | None]:
    """Refuse requests with any of these fields; keep to the schema of others."""

    def script(body: dict[str, Any]) -> Reply | None:
        if body.keys() & set(fields):
            return reply
        is_schema_probe = PROBE in json.dumps(body) and "response_format" in body
        return ENFORCED["plain"] if is_schema_probe else None

    return script


def refusal(field: str, status: int = 400) -> Reply:
    return json_reply({"error": {"message": f"Unsupported parameter: '{field}'"}}, status)


@pytest.mark.parametrize(
    ("fields", "reply"),
    [
        (("max_tokens",), refusal("max_tokens")),
        (("max_tokens",), json_reply({"detail": "Bad request"}, 422)),
        (("max_tokens",), json_reply({"error": {"message": "maximum context length is 512"}}, 400)),
        (("temperature",), refusal("temperature")),
        (("max_tokens", "temperature"), Reply(422)),
        (("chat_template_kwargs",), refusal("chat_template_kwargs")),
        (("chat_template_kwargs",), json_reply({"error": "Jinja Exception: enable_thinking"}, 500)),
    ],
    ids=str,
)
def test_refusal_of_another_field_is_not_one_of_the_schema(
    fields: tuple[str, ...], reply: Reply
) -> None:
    base = LLAMA_SERVER if "chat_template_kwargs" in fields else VLLM
    with running_pair(refusing(*fields, reply=reply), base) as (url, _):
        assert has_grammar(url) is True


@pytest.mark.parametrize("base", [LLAMA_SERVER, VLLM], ids=["llama.cpp", "other"])
@pytest.mark.parametrize(
    "reply",
    [
        refusal("response_format"),
        refusal("response_format.type", 422),
        json_reply({"detail": "Bad request"}, 422),
        replay("err-bad-json"),
        Reply(500, chunks=[b"Internal Server Error"]),
        json_reply({"error": {"message": "Internal Server Error", "type": "KeyError"}}, 500),
        Reply(501),
    ],
    ids=lambda value: repr(value.chunks)[:60] if isinstance(value, Reply) else str(value),
)
def test_server_that_refuses_the_schema_again_and_again_has_no_grammar(
    reply: Reply, base: ServerVariant
) -> None:
    with running_pair(refusing("response_format", reply=reply), base) as (url, server):
        assert has_grammar(url) is False
        count = len(server.chat_requests)
        assert has_grammar(url) is False
        assert len(server.chat_requests) == count + 1  # it is not asked again


def test_failure_by_chance_is_not_a_refusal_of_the_schema() -> None:
    failures = [Reply(500, chunks=[b"Internal Server Error"])]
    enforcing = refusing(reply=Reply(500))

    def script(body: dict[str, Any]) -> Reply | None:
        return failures.pop() if failures else enforcing(body)

    with running_pair(script) as (url, _):
        assert has_grammar(url) is True


def test_server_that_fails_at_every_probe_leaves_the_question_open() -> None:
    with running_pair(to_probe(Reply(500))) as (url, server):
        assert has_grammar(url) is None
        assert len(probes(server)) == 2


@pytest.mark.parametrize("reply", [ENFORCED["plain"], IGNORED["prose"]], ids=["has", "has not"])
def test_result_of_a_probe_is_not_believed_for_good(reply: Reply) -> None:
    with running_pair(to_probe(reply), capability_seconds=0.4) as (url, server):
        has_grammar(url)
        sleep(0.5)
        has_grammar(url)
        assert len(probes(server)) == 2


def test_another_server_at_the_same_address_is_probed_again() -> None:
    with running_pair(to_probe(IGNORED["prose"]), server_check_seconds=0.05) as (url, server):
        assert has_grammar(url) is False
        assert isinstance(server.variant, ScriptedVariant)
        server.variant = replace(server.variant, script=to_probe(ENFORCED["plain"]))
        server.models = VLLM.models
        sleep(0.1)
        assert httpx.get(f"{url}/models").status_code == 200
        assert has_grammar(url) is True


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (LLAMA_SERVER, {"chat_template_kwargs": {"enable_thinking": False}}),
        (DMR, {"chat_template_kwargs": {"enable_thinking": False}}),
        (replace(OLLAMA, model_id_pattern=".*"), {"reasoning_effort": "none"}),
        (VLLM, {}),
    ],
    ids=["llama.cpp", "dmr", "ollama", "vllm"],
)
def test_reasoning_is_switched_off_where_that_is_understood(
    base: ServerVariant, expected: dict[str, Any]
) -> None:
    with running_pair(to_probe(ENFORCED["plain"]), base) as (url, server):
        assert has_grammar(url) is True
        [probe] = probes(server)
        names = {"chat_template_kwargs", "reasoning_effort"} & probe.body.keys()
        assert {name: probe.body[name] for name in names} == expected
        assert probe.body["stream"] is False


def test_model_that_is_loading_is_probed_once_it_is_loaded() -> None:
    replies = [LOADING]

    def script(body: dict[str, Any]) -> Reply | None:
        return replies.pop() if replies else to_probe(ENFORCED["plain"])(body)

    with running_pair(script) as (url, _):
        assert has_grammar(url) is True


def test_another_model_under_the_same_id_is_probed_again() -> None:
    with running_pair(to_probe(ENFORCED["plain"])) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [True, True]
        assert len(probes(server)) == 1
        path = MODEL_PATH.replace("5a", "6b")
        server.replies.append(Reply(chunks=[chunk({"content": "Hi"}, "stop", model=path), DONE]))
        httpx.post(f"{url}/chat", json=STREAMED).raise_for_status()
        assert has_grammar(url) is True
        assert len(probes(server)) == 2


# Grammars


def grammar_probes(model_server: FakeModelServer) -> list[RecordedRequest]:
    return [chat for chat in model_server.chat_requests if "zq" in str(chat.body.get("grammar"))]


def answers(model_server: FakeModelServer) -> list[RecordedRequest]:
    """Return the requests that are not probes."""
    sent = [*probes(model_server), *grammar_probes(model_server)]
    return [chat for chat in model_server.chat_requests if chat not in sent]


@contextmanager
def running_grammar_pair(
    to_grammar_probe: Reply, to_schema_probe: Reply, base: ServerVariant = LLAMA_SERVER
) -> Iterator[tuple[str, FakeModelServer]]:
    def script(body: dict[str, Any]) -> Reply | None:
        is_grammar_probe = "zq" in str(body.get("grammar"))
        return to_grammar_probe if is_grammar_probe else to_probe(to_schema_probe)(body)

    with running_pair(script, base) as (url, server):
        server.takes_grammar = True
        yield url, server


@pytest.mark.parametrize("base", [LLAMA_SERVER, DMR], ids=["llama.cpp", "dmr"])
def test_llama_cpp_gets_a_grammar_if_it_constrains_the_content(base: ServerVariant) -> None:
    plain = ENFORCED["plain"]
    with running_grammar_pair(plain, plain, base) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [True, True]
        [probe] = grammar_probes(server)
        assert not probes(server)
        # Whether a model reasons first is part of what the probe is to find out.
        assert "chat_template_kwargs" not in probe.body
        assert probe.body["max_tokens"] <= 64
        for chat in answers(server):
            assert "grammar" in chat.body
            assert "response_format" not in chat.body


@pytest.mark.parametrize(
    "reply",
    [
        *(ENFORCED[name] for name in ("all in reasoning_content", "tags", "blocks")),
        answer({"content": "<think>\nThe user"}, "stop"),
        answer({"content": "", "reasoning_content": "The user wants"}, "stop"),
        *(IGNORED[name] for name in ("prose", "other JSON")),
        *(OPEN[name] for name in ("truncated", "null", "busy", "unavailable", "cut")),
        refusal("grammar"),
        Reply(500),
        json_reply({"error": {"message": "does not match the expected peg-native format"}}, 500),
        json_reply([]),
    ],
    ids=lambda reply: repr(reply.chunks)[:80],
)
def test_model_whose_content_no_grammar_constrains_gets_a_json_schema(reply: Reply) -> None:
    with running_grammar_pair(reply, ENFORCED["plain"]) as (url, server):
        assert [has_grammar(url), has_grammar(url)] == [True, True]
        assert (len(grammar_probes(server)), len(probes(server))) == (1, 1)
        for chat in answers(server):
            assert "response_format" in chat.body
            assert "grammar" not in chat.body


@pytest.mark.parametrize(
    "base", [VLLM, replace(OLLAMA, model_id_pattern=".*")], ids=["vllm", "ollama"]
)
def test_other_servers_are_never_sent_a_grammar(base: ServerVariant) -> None:
    plain = ENFORCED["plain"]
    with running_grammar_pair(plain, plain, base) as (url, server):
        assert has_grammar(url) is True
        assert not any("grammar" in chat.body for chat in server.chat_requests)


def test_grammar_is_probed_again_if_nothing_was_found_out() -> None:
    replies = [OPEN["busy"], OPEN["busy"]]

    def script(body: dict[str, Any]) -> Reply | None:
        is_probe = "zq" in str(body.get("grammar")) or PROBE in json.dumps(body)
        return (replies.pop() if replies else ENFORCED["plain"]) if is_probe else None

    with running_pair(script) as (url, server):
        server.takes_grammar = True
        assert [has_grammar(url), has_grammar(url)] == [None, True]
        assert ["grammar" in chat.body for chat in answers(server)] == [False, True]
