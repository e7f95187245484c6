"""What reading a stream costs: CPU milliseconds a token of the generator's client, with nothing else going on.

    python benchmarks/client.py

A replay server, a process of its own, streams the demo's answers 16 at a time.
"""

import asyncio
import json
import time
from pathlib import Path

from replay import replay_server

from lift.document import read_document
from lift.presets import load_recipe
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.prompts import Request

EXAMPLE = Path(__file__).parents[1] / "examples" / "picardo"
SLOTS = 16
REQUESTS = 48


async def drain(url: str) -> dict[str, float]:
    document, recipe = read_document(EXAMPLE / "picardo.txt", "José Luis Picardo"), load_recipe("cpu")
    backend = OpenAIBackend(url)
    await backend.start()
    requests = list(backend.requests(document, backend.segments(document, recipe), recipe))[:REQUESTS]
    slots = asyncio.Semaphore(SLOTS)
    pieces = 0

    async def ask(request: Request) -> None:
        nonlocal pieces
        async with slots, backend.stream(request) as stream:
            async for _ in stream:
                pieces += 1

    began, clock = time.process_time(), time.monotonic()
    await asyncio.gather(*map(ask, requests))
    cpu, seconds = time.process_time() - began, time.monotonic() - clock
    await backend.close()
    return {
        "tokens": pieces,
        "tokens a second": round(pieces / seconds),
        "CPU milliseconds a token": round(1000 * cpu / pieces, 4),
    }


def main() -> None:
    with replay_server(EXAMPLE / "tasks.jsonl", slots=SLOTS, first_token=0.05, token=0.01) as url:
        for _ in range(3):
            print(json.dumps(asyncio.run(drain(url))), flush=True)


if __name__ == "__main__":
    main()
