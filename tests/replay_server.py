"""A real HTTP server on 127.0.0.1 that speaks the OpenAI chat protocol and answers from recorded tasks."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@dataclass
class ReplayServer:
    """Serves recorded pairs: those of the records that begin in the prompt's segment, or it in them.

    Attributes:
        recorded: a header-less task file.
        token_seconds: delay before each token (four characters).
        fault: called with the number of the request (from 1) and its segment; a Response instead of the
            answer, or a piece of text to break off after, or None.
        rewrite: makes the answer's text from the recorded pairs.
        stall_at: where this stands in an answer, nothing more comes for a minute.
        first_token_seconds: delay before the first token.
        slots: answers that are written at the same time; others wait, as in a real engine.
        port: where it listens; 0 finds a free one.
        may_answer: asked with the number of the request until it is true; until then not a token comes. With
            it a test fixes the order of events instead of racing against the machine.
    """

    recorded: Path
    token_seconds: float = 0.0
    rewrite: Callable[[list[dict[str, str]]], str] = lambda pairs: json.dumps(
        {"pairs": pairs}, ensure_ascii=False, indent=1
    )
    stall_at: str = ""
    first_token_seconds: float = 0.0
    slots: int = 1_000
    port: int = 0
    models: list[str] = field(default_factory=lambda: ["replay"])
    fault: Callable[[int, str], Response | str | None] = lambda number, segment: None
    may_answer: Callable[[int], bool] = lambda number: True
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    active: int = 0
    most_active: int = 0
    durations: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._records = [json.loads(line) for line in self.recorded.read_text(encoding="utf-8").splitlines()]
        for record in self._records:
            record["text"] = " ".join(record["text"].split())
        app = Starlette(
            routes=[
                Route("/health", lambda request: Response()),
                Route("/durations", lambda request: JSONResponse(self.durations)),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self._free = asyncio.Semaphore(self.slots)
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @property
    def segments(self) -> list[str]:
        """The segment of every request, in order."""
        return [_segment(request["messages"][-1]["content"]) for request in self.requests]

    def __enter__(self) -> ReplayServer:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        if body["model"] not in self.models:
            return JSONResponse({"error": {"message": f"no model {body['model']}"}}, status_code=404)
        segment = _segment(body["messages"][-1]["content"])
        fault = self.fault(len(self.requests), segment)
        if isinstance(fault, Response):
            return fault
        stream = self._stream(len(self.requests), body, segment, fault)
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(
        self, number: int, body: dict[str, Any], segment: str, break_after: str | None
    ) -> AsyncIterator[str]:
        squeezed = " ".join(segment.split())
        pairs = [
            pair
            for record in self._records
            if record["text"][:40] in squeezed or squeezed[:40] in record["text"]
            for pair in record["tasks"]
        ]
        text = self.rewrite(pairs)
        if break_after is not None:
            text = text[: text.index(break_after) + len(break_after)]
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        held = False
        try:
            held = await self._free.acquire()
            begun, place = time.monotonic(), len(self.durations)
            self.durations.append(0.0)
            if self.first_token_seconds:
                await asyncio.sleep(self.first_token_seconds)
            while not self.may_answer(number):
                await asyncio.sleep(0.01)
            text, stalls, _ = text.partition(self.stall_at) if self.stall_at else (text, "", "")
            for piece in re.findall(r"(?s).{1,4}", text):
                if self.token_seconds:
                    await asyncio.sleep(self.token_seconds)
                yield _event({"content": piece})
            if stalls:
                await asyncio.sleep(60)
            if break_after is not None:
                raise ConnectionResetError("broken off on purpose")
            yield _event({}, finish="stop")
            if body.get("stream_options", {}).get("include_usage"):
                prompt = sum(len(message["content"]) for message in body["messages"])
                yield _event(usage={"prompt_tokens": prompt // 4, "completion_tokens": len(text) // 4})
            yield "data: [DONE]\n\n"
        finally:
            self.active -= 1
            if held:
                self._free.release()
                self.durations[place] = time.monotonic() - begun


def _segment(prompt: str) -> str:
    found = re.search(r"\nSegment:\n(.*)\n\nWrite \d+", prompt, re.DOTALL)
    assert found, prompt
    return found[1]


def _event(
    delta: dict[str, str] | None = None, *, finish: str | None = None, usage: dict[str, int] | None = None
) -> str:
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "replay",
        "choices": [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": usage and usage | {"total_tokens": sum(usage.values())},
    }
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"  # as vLLM does


def main() -> None:
    """Serve as a process of its own until stdin closes; prints the URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recorded", type=Path)
    parser.add_argument("--slots", type=int, default=1_000)
    parser.add_argument("--first-token-seconds", type=float, default=0.0)
    parser.add_argument("--token-seconds", type=float, default=0.0)
    with ReplayServer(**vars(parser.parse_args())) as server:
        print(server.url, flush=True)  # noqa: T201  # read by who started it
        sys.stdin.read()


if __name__ == "__main__":
    main()
