"""The OpenAI-compatible backend against a real HTTP server."""

import asyncio
import email.utils
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from lift.document import Document
from lift.errors import GeneratorUnavailableError
from lift.recipe import Recipe
from lift.synthesis.backends import open_backend
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.generator import generate_tasks
from lift.synthesis.usage import GenerationCounts
from lift.task_store import TaskStore
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

RECIPE = Recipe(tasks_per_segment=5, generator_concurrency=4, generator_retries=3)


def generate_and_count(
    backend: OpenAIBackend, document: Document, path: Path, recipe: Recipe = RECIPE, waits: list[float] | None = None
) -> tuple[TaskStore, GenerationCounts]:
    async def at_once(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    segments = backend.segments(document, recipe)
    with TaskStore.open(path, document, backend.identity(document, recipe), segments) as store:
        return store, asyncio.run(generate_tasks(document, backend, recipe, store, sleep=at_once))


def generate(backend: OpenAIBackend, document: Document, path: Path, *options: Any, **more: Any) -> TaskStore:
    return generate_and_count(backend, document, path, *options, **more)[0]


def test_streams_pairs_from_the_only_model(replay: ReplayServer, short: Document, tmp_path: Path) -> None:
    backend = OpenAIBackend(replay.url)
    store = generate(backend, short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert store.complete
    assert backend.name == f"{replay.url} replay"
    assert all(request["stream"] and request["model"] == "replay" for request in replay.requests)
    assert sorted(replay.segments) == sorted(segment.text for segment in store.segments)


def test_requests_run_at_the_same_time(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED, token_seconds=0.0005) as server:
        generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert server.most_active == 4


def test_several_models_want_a_name(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED, models=["a", "b"]) as server:
        with pytest.raises(GeneratorUnavailableError, match=r"--generator-model.*offers a, b"):
            generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
        assert len(list(generate(OpenAIBackend(server.url, "b"), short, tmp_path / "t.jsonl").read_tasks())) == 25


def test_an_unknown_model_is_said_at_once(replay: ReplayServer, short: Document, tmp_path: Path) -> None:
    with pytest.raises(GeneratorUnavailableError, match=r"404.*no model nope"):
        generate(OpenAIBackend(replay.url, "nope"), short, tmp_path / "t.jsonl")
    assert len(replay.requests) <= 4


def test_a_server_that_does_not_run(short: Document, tmp_path: Path) -> None:
    with pytest.raises(GeneratorUnavailableError, match="Check that the server runs"):
        generate(OpenAIBackend("http://127.0.0.1:9/v1"), short, tmp_path / "t.jsonl")
    with pytest.raises(GeneratorUnavailableError, match="the connection failed"):
        generate(OpenAIBackend("http://127.0.0.1:9/v1", "m"), short, tmp_path / "t.jsonl")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_asked_again(status: int, short: Document, tmp_path: Path) -> None:
    def fault(number: int, segment: str) -> Response | None:
        return JSONResponse({"error": {"message": "busy"}}, status_code=status) if number % 3 == 0 else None

    with ReplayServer(RECORDED, fault=fault) as server:
        store = generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert store.complete


def test_a_wrong_key_is_not_retried_and_not_shown(
    short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFT_API_KEY", "sk-secret")

    def fault(number: int, segment: str) -> Response:
        return JSONResponse({"error": {"message": "bad key"}}, status_code=401)

    with ReplayServer(RECORDED, fault=fault) as server:
        with pytest.raises(GeneratorUnavailableError, match="401: bad key") as caught:
            generate(OpenAIBackend(server.url, "replay"), short, tmp_path / "t.jsonl")
        assert set(server.keys) == {"Bearer sk-secret"}
    assert "sk-secret" not in str(caught.value)
    assert "sk-secret" not in (tmp_path / "t.jsonl").read_text()


def test_the_openai_key_goes_to_openai_alone(
    replay: ReplayServer, short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    generate(OpenAIBackend(replay.url), short, tmp_path / "t.jsonl")
    assert set(replay.keys) == {"Bearer none"}


def test_a_stream_that_breaks_off_keeps_its_pairs(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED, fault=lambda number, segment: "}," if number == 1 else None) as server:
        store = generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
        assert len(server.requests) == 6
    assert store.n_tasks == len({task.question for task in store.read_tasks()}) == 25


def test_a_server_that_does_not_begin_to_answer_is_not_waited_for(short: Document, tmp_path: Path) -> None:
    recipe = RECIPE.replace(generator_retries=0, generator_first_token_seconds=0.3)
    with ReplayServer(RECORDED, first_token_seconds=60) as server:
        started = time.monotonic()
        with pytest.raises(GeneratorUnavailableError, match=r"not a token in 0\.3 seconds"):
            generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl", recipe)
        assert time.monotonic() - started < 30


def test_a_stream_that_stalls_keeps_its_pairs(short: Document, tmp_path: Path) -> None:
    def stall(pairs: list[dict[str, str]]) -> str:
        return json.dumps(pairs[:2])[:-1] + ", STALL"

    recipe = RECIPE.replace(generator_retries=0, generator_silence_seconds=0.3, max_failed_share=1)
    with ReplayServer(RECORDED, rewrite=stall, stall_at="STALL") as server:
        store = generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl", recipe)
    assert store.n_tasks == 10
    assert set(store.failed.values()) == {"not a token in 0.3 seconds"}


@pytest.mark.parametrize("takes", ["json_object", "text"])
def test_what_a_server_refuses_is_left_out_from_then_on(takes: str, short: Document, tmp_path: Path) -> None:
    """A refusal is no failed request, and it is not repeated."""

    def fault(number: int, segment: str) -> Response | None:
        body = server.requests[number - 1]
        asked = body.get("response_format", {}).get("type", "text")
        if "chat_template_kwargs" in body:
            return JSONResponse({"error": {"message": "unknown field chat_template_kwargs"}}, status_code=422)
        if asked not in (takes, "text"):
            return JSONResponse({"error": {"message": f"response_format {asked} is unavailable"}}, status_code=400)
        return None

    with ReplayServer(RECORDED, fault=fault) as server:
        recipe = RECIPE.replace(generator_concurrency=1)
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl", recipe)
        refused = 2 if takes == "json_object" else 3
        assert len(server.requests) == 5 + refused
    assert store.n_tasks == 25
    assert (counts.requests, counts.retries, dict(counts.failures)) == (5, 0, {})


def test_a_request_that_is_refused_in_its_plainest_form_fails(short: Document, tmp_path: Path) -> None:
    def fault(number: int, segment: str) -> Response:
        return JSONResponse({"error": {"message": "too long for me"}}, status_code=400)

    refused = pytest.raises(GeneratorUnavailableError, match="400: too long for me")
    with ReplayServer(RECORDED, fault=fault) as server, refused:
        generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")


def test_what_it_cost_is_counted(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED) as server:
        _, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
        prompts = [sum(len(message["content"]) for message in body["messages"]) // 4 for body in server.requests]
    assert counts.usage.prompt == sum(prompts)
    assert counts.usage.completion > 25 * 20
    assert counts.usage.estimated == 0
    assert counts.kept == 25


def test_a_cost_that_the_server_does_not_count_is_estimated(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED, fault=lambda number, segment: "}," if number == 1 else None) as server:
        _, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert counts.usage.estimated == 1
    assert counts.failures == {"broken off": 1}


def test_retry_after_is_honoured(short: Document, tmp_path: Path) -> None:
    waits: list[float] = []
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    def fault(number: int, segment: str) -> Response | None:
        after = {1: "12", 2: date}.get(number)
        body = {"error": {"message": "slow down"}}
        return JSONResponse(body, status_code=429, headers={"retry-after": after}) if after else None

    with ReplayServer(RECORDED, fault=fault) as server:
        generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl", waits=waits)
    assert 12.0 in waits
    assert any(50 < wait <= 60 for wait in waits)


def test_providers_want_their_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GeneratorUnavailableError, match=r"api\.deepseek\.com wants a key.*\$DEEPSEEK_API_KEY"):
        open_backend("deepseek", "deepseek-chat")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-deep")
    backend = open_backend("deepseek", "deepseek-chat")
    assert backend.name == "https://api.deepseek.com/v1 deepseek-chat"
    assert backend.host == "api.deepseek.com"


FAULTS = {
    "hits the wrong schema": lambda pairs: json.dumps([{"q": p["question"], "a": p["answer"]} for p in pairs]),
    "an empty list": lambda pairs: '{"pairs": []}',
    "nothing at all": lambda pairs: "",
    "cut JSON": lambda pairs: json.dumps(pairs[0])[:-5],
}


@pytest.mark.parametrize("name", FAULTS)
def test_answers_without_pairs_are_tried_again(name: str, short: Document, tmp_path: Path) -> None:
    tried: list[str] = []

    def rewrite(pairs: list[dict[str, str]]) -> str:
        tried.append(pairs[0]["question"])
        return FAULTS[name](pairs) if tried.count(pairs[0]["question"]) == 1 else json.dumps(pairs)

    with ReplayServer(RECORDED, rewrite=rewrite) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert counts.retries == 5
    assert counts.failures == {"no pairs": 5}


def test_line_ends_that_only_unicode_knows(short: Document, tmp_path: Path) -> None:
    """JSON holds them as they are, and event streams have others."""

    def rewrite(pairs: list[dict[str, str]]) -> str:
        ends = [{**pair, "answer": f"{pair['answer']}\u2028\u2029\x85Well."} for pair in pairs]
        return json.dumps(ends, ensure_ascii=False)

    with ReplayServer(RECORDED, rewrite=rewrite) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert not counts.failures
    assert all(task.answer.endswith("\u2028\u2029\x85Well.") for task in store.read_tasks())


def test_duplicates_and_null_answers_are_dropped_and_counted(short: Document, tmp_path: Path) -> None:
    def rewrite(pairs: list[dict[str, str]]) -> str:
        return json.dumps([pairs[0], pairs[0], {"question": "Who?", "answer": None}, *pairs[1:]])

    with ReplayServer(RECORDED, rewrite=rewrite) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert counts.dropped == {"asked before": 5, "not a question and an answer": 5}


def test_a_reasoning_models_thoughts_are_passed_over(short: Document, tmp_path: Path) -> None:
    def rewrite(pairs: list[dict[str, str]]) -> str:
        return '<think>Perhaps {"question": "No?", "answer": "No."}</think>' + json.dumps(pairs)

    with ReplayServer(RECORDED, rewrite=rewrite) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert 5 * 10 < counts.usage.reasoning < counts.usage.completion / 2  # counted, though the server does not


def test_content_that_is_null_is_no_answer(short: Document, tmp_path: Path) -> None:
    """As some servers send it before a tool call or a refusal; the segment is asked again."""
    delta = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]}
    null = f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n"

    def fault(number: int, segment: str) -> Response | None:
        return Response(null, media_type="text/event-stream") if number <= 2 else None

    with ReplayServer(RECORDED, fault=fault) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert counts.failures == {"no pairs": 2}


def test_an_error_inside_the_stream_is_told_and_tried_again(short: Document, tmp_path: Path) -> None:
    event = 'data: {"error": {"message": "CUDA out of memory"}}\n\n'

    def fault(number: int, segment: str) -> Response | None:
        return Response(event, media_type="text/event-stream") if number <= fails else None

    fails = 2
    with ReplayServer(RECORDED, fault=fault) as server:
        store, counts = generate_and_count(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
        assert store.n_tasks == 25
        assert counts.failures == {"broken off": 2}
        fails = 1_000
        with pytest.raises(GeneratorUnavailableError, match="CUDA out of memory"):
            generate(OpenAIBackend(server.url), short, tmp_path / "u.jsonl")


def test_one_request_that_takes_a_hundred_times_longer_holds_nothing_up(picardo: Document, tmp_path: Path) -> None:
    document = Document.from_text(picardo.text[:9000], title=picardo.title)
    segments = OpenAIBackend("http://127.0.0.1:9/v1", "m").segments(document, RECIPE)
    path = tmp_path / "t.jsonl"

    def all_others_are_done() -> bool:
        return path.read_text(encoding="utf-8").count('"done"') == len(segments) - 1

    with ReplayServer(RECORDED, may_answer=lambda number: number != 1 or all_others_are_done()) as server:
        store = generate(OpenAIBackend(server.url), document, path)
        assert len(server.requests) == len(segments) >= 50
    assert store.complete
    assert [task.segments for task in store.read_tasks()][-1] == (0,)


def test_what_is_no_generator() -> None:
    with pytest.raises(GeneratorUnavailableError, match="recorded:FILE"):
        open_backend("gpt-4")
    with pytest.raises(GeneratorUnavailableError, match=r"LIFT_API_KEY"):
        open_backend("https://user:secret@example.com/v1")
