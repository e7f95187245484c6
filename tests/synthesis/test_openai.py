"""The OpenAI-compatible backend against a real HTTP server."""

import asyncio
import time
from pathlib import Path

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from lift.document import Document
from lift.errors import GeneratorUnavailableError
from lift.recipe import Recipe
from lift.synthesis.backends import open_backend
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.generator import generate_tasks
from lift.tasks import TaskStore
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

RECIPE = Recipe(tasks_per_segment=5, generator_concurrency=4, generator_retries=3)


def generate(backend: OpenAIBackend, document: Document, path: Path, recipe: Recipe = RECIPE) -> TaskStore:
    async def at_once(seconds: float) -> None:
        pass

    segments = backend.segments(document, recipe)
    with TaskStore.open(path, document, backend.identity(document, recipe), segments) as store:
        asyncio.run(generate_tasks(document, backend, recipe, store, sleep=at_once))
        return store


def test_streams_pairs_from_the_only_model(replay: ReplayServer, short: Document, tmp_path: Path) -> None:
    backend = OpenAIBackend(replay.url)
    store = generate(backend, short, tmp_path / "t.jsonl")
    assert len(store.tasks) == 25
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
        assert len(generate(OpenAIBackend(server.url, "b"), short, tmp_path / "t.jsonl").tasks) == 25


def test_an_unknown_model_is_said_at_once(replay: ReplayServer, short: Document, tmp_path: Path) -> None:
    with pytest.raises(GeneratorUnavailableError, match=r"404.*no model nope"):
        generate(OpenAIBackend(replay.url, "nope"), short, tmp_path / "t.jsonl")
    assert len(replay.requests) <= 4


def test_a_server_that_does_not_run(short: Document, tmp_path: Path) -> None:
    with pytest.raises(GeneratorUnavailableError, match="Check that the server runs"):
        generate(OpenAIBackend("http://127.0.0.1:9/v1"), short, tmp_path / "t.jsonl")
    with pytest.raises(GeneratorUnavailableError, match="no connection"):
        generate(OpenAIBackend("http://127.0.0.1:9/v1", "m"), short, tmp_path / "t.jsonl")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_asked_again(status: int, short: Document, tmp_path: Path) -> None:
    def fault(number: int, segment: str) -> Response | None:
        return JSONResponse({"error": {"message": "busy"}}, status_code=status) if number % 3 == 0 else None

    with ReplayServer(RECORDED, fault=fault) as server:
        store = generate(OpenAIBackend(server.url), short, tmp_path / "t.jsonl")
    assert len(store.tasks) == 25
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
    assert len(store.tasks) == len({task.question for task in store.tasks}) == 25


def test_silence_is_cut(short: Document, tmp_path: Path) -> None:
    with ReplayServer(RECORDED, token_seconds=30) as server:
        started = time.monotonic()
        with pytest.raises(GeneratorUnavailableError, match=r"no answer in time|broke off"):
            generate(
                OpenAIBackend(server.url, timeout=httpx2.Timeout(0.3)),
                short,
                tmp_path / "t.jsonl",
                RECIPE.replace(generator_retries=0),
            )
        assert time.monotonic() - started < 20


def test_what_is_no_generator() -> None:
    with pytest.raises(GeneratorUnavailableError, match="recorded:FILE"):
        open_backend("gpt-4")
    with pytest.raises(GeneratorUnavailableError, match=r"LIFT_API_KEY"):
        open_backend("https://user:secret@example.com/v1")
