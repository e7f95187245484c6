"""The judge over a real HTTP server."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lift.errors import BenchmarkError
from lift.evaluation.judge import Judge, JudgeError
from lift.evaluation.questions import Question

QUESTION = Question("1", "Who built the mill?", "Anna", metric="judge")


class JudgeServer:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.reply = "True"
        self.models = ["judge"]
        self.refused: list[str] = []
        self.prompts: list[str] = []
        self.keys: list[str] = []

    async def list_models(self, request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def chat(self, request: Request) -> JSONResponse:
        asked = await request.json()
        self.prompts.append(asked["messages"][0]["content"])
        self.keys.append(request.headers["authorization"])
        for name in self.refused:
            if name in asked:
                return JSONResponse({"error": {"message": f"unsupported: {name}"}}, status_code=400)
        if self.reply == "500":
            return JSONResponse({"error": {"message": "broken"}}, status_code=400)
        message = {"role": "assistant", "content": self.reply}
        return JSONResponse(
            {"id": "1", "object": "chat.completion", "created": 0, "model": "judge",
             "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        )  # fmt: skip


@pytest.fixture
def server() -> Iterator[tuple[JudgeServer, str]]:
    judge = JudgeServer()
    routes = [
        Route("/v1/models", judge.list_models),
        Route("/v1/chat/completions", judge.chat, methods=["POST"]),
    ]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="critical"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield judge, f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    running.should_exit = True
    thread.join()


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("True", 1),
        ("false.", 0),
        ("**True**, since both say Anna", 1),
        ("<think>Is it true that Anna is Anna? It is.</think>\n\nFalse", 0),
    ],
)
def test_verdicts(server: tuple[JudgeServer, str], reply: str, score: float) -> None:
    judge, url = server
    judge.reply = reply
    assert Judge(url).score(QUESTION, "It was Anna.") == score
    assert all(text in judge.prompts[0] for text in ("Who built the mill?", "Anna", "It was Anna."))


def test_silence_is_wrong_without_asking(server: tuple[JudgeServer, str]) -> None:
    judge, url = server
    assert Judge(url).score(QUESTION, "  ") == 0
    assert not judge.prompts


@pytest.mark.parametrize("reply", ["Perhaps.", "", "500"])
def test_no_verdict_is_an_error(server: tuple[JudgeServer, str], reply: str) -> None:
    judge, url = server
    judge.reply = reply
    with pytest.raises(JudgeError):
        Judge(url).score(QUESTION, "Anna")


def test_a_server_that_knows_less(server: tuple[JudgeServer, str]) -> None:
    """What it refuses is asked for once."""
    judge, url = server
    judge.refused = ["chat_template_kwargs", "temperature", "max_tokens"]
    asking = Judge(url)
    assert [asking.score(QUESTION, "Anna") for _ in range(2)] == [1, 1]
    assert len(judge.prompts) == 3 + 2


def test_keys(server: tuple[JudgeServer, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's key is for the provider alone."""
    judge, url = server
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert Judge(url).score(QUESTION, "Anna") == 1
    monkeypatch.setenv("LIFT_JUDGE_KEY", "for-this-one")
    assert Judge(url).score(QUESTION, "Anna") == 1
    assert judge.keys == ["Bearer none", "Bearer for-this-one"]
    monkeypatch.delenv("LIFT_JUDGE_KEY")
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    with pytest.raises(BenchmarkError, match=r"api\.deepseek\.com/v1 wants a key; put it into \$DEEPSEEK_API_KEY"):
        Judge("deepseek", "deepseek-chat")


def test_several_models(server: tuple[JudgeServer, str]) -> None:
    judge, url = server
    judge.models = ["a", "b"]
    with pytest.raises(BenchmarkError, match="has 2 models; name one with --judge-model"):
        Judge(url)
    assert Judge(url, "b").model == "b"


def test_nobody_there() -> None:
    with pytest.raises(BenchmarkError, match="cannot be reached"):
        Judge("http://127.0.0.1:9/v1")
