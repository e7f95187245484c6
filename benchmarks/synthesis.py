"""Generation against a server with a set speed: time to the first task, tasks/s, total, overhead, memory.

    python benchmarks/synthesis.py --slots 64 --first-token 0.5 --token 0.04

A replay server (a process of its own) answers from recorded tasks like an engine with so many slots. Its floor is
the time that its answers, as long as they really took, need on that many slots that are never idle. lift's client
is compared with the usual way: a plain client that waits for whole answers and yields them in request order.
"""

import argparse
import asyncio
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replay import replay_server

ROOT = Path(__file__).parents[1]


def floor_seconds(durations: Sequence[float], slots: int) -> float:
    """When the last of these answers ends if every free slot takes the next one at once."""
    free = [0.0] * slots
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def inputs(folder: Path) -> Any:
    from lift.document import read_document
    from lift.recipe import Recipe

    return read_document(folder / "picardo.txt", title="José Luis Picardo"), Recipe(tasks_per_segment=5)


def lift_client(url: str, folder: Path) -> tuple[float, int]:
    """Seconds to the first task, and the number of tasks."""
    from lift.synthesis.backends.openai import OpenAIBackend
    from lift.synthesis.generator import generate_tasks
    from lift.task_store import TaskStore

    document, recipe = inputs(folder)
    backend = OpenAIBackend(url)
    segments = backend.segments(document, recipe)
    started = time.monotonic()
    arrived: list[float] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        TaskStore.open(Path(scratch, "t.jsonl"), document, backend.identity(document, recipe), segments) as store,
    ):
        work = generate_tasks(
            document, backend, recipe, store, on_task=lambda task: arrived.append(time.monotonic() - started)
        )
        asyncio.run(work)
    return arrived[0], len(arrived)


def plain_client(url: str, folder: Path) -> tuple[float, int]:
    """The usual way: whole answers, in request order."""
    import openai

    from lift.splitting import split_document
    from lift.synthesis.prompts import Request, build_request

    document, recipe = inputs(folder)
    requests = [build_request(document, segment, recipe) for segment in split_document(document, recipe)]
    started = time.monotonic()
    arrived: list[float] = []

    async def run() -> None:
        client = openai.AsyncOpenAI(base_url=url, api_key="none")
        slots = asyncio.Semaphore(64)

        async def ask(request: Request) -> list[Any]:
            async with slots:
                stream = await client.chat.completions.create(
                    model="replay",
                    messages=[
                        {"role": "system", "content": request.system},
                        {"role": "user", "content": request.user},
                    ],
                    stream=True,
                )
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
                pairs: list[Any] = json.loads(text)["pairs"]
                return pairs

        answers = [asyncio.create_task(ask(request)) for request in requests]
        for answer in answers:
            pairs = await answer
            arrived.extend([time.monotonic() - started] * len(pairs))

    asyncio.run(run())
    return arrived[0], len(arrived)


def measure(client: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run `client` in a process of its own against a fresh server."""
    speeds = {"slots": arguments.slots, "first_token": arguments.first_token, "token": arguments.token}
    with replay_server(arguments.folder / "picardo.tasks.jsonl", **speeds) as url:
        child = [sys.executable, __file__, "--child", client, "--url", url, "--folder", str(arguments.folder)]
        result: dict[str, Any] = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        with urllib.request.urlopen(url.removesuffix("/v1") + "/durations") as answer:
            floor = floor_seconds(json.load(answer), arguments.slots)
    return {**result, "floor_seconds": round(floor, 2), "overhead": round(result["seconds"] / floor - 1, 4)}


def child(client: str, url: str, folder: Path) -> None:
    # What is imported once must not count as the first answer's time.
    import lift.synthesis.backends.openai  # noqa: F401

    started = time.monotonic()
    first, tasks = {"lift": lift_client, "plain": plain_client}[client](url, folder)
    seconds = time.monotonic() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "client": client,
                "first_task_seconds": round(first, 2),
                "tasks": tasks,
                "tasks_per_second": round(tasks / seconds, 1),
                "seconds": round(seconds, 2),
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
                "peak_mib": round(usage.ru_maxrss / 1024, 1),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT.parent / "shared" / "data", help="with picardo's files")
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--first-token", type=float, default=0.5, help="seconds")
    parser.add_argument("--token", type=float, default=0.04, help="seconds")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.url, arguments.folder)
        return
    for client in ("lift", "plain"):
        print(json.dumps(measure(client, arguments)), flush=True)


if __name__ == "__main__":
    main()
