"""Peak memory of generation for a very long document: it must not grow with the tasks.

    python benchmarks/memory.py --characters 10000000

The backend here answers at once with two pairs, the trainer's place is taken by a reader that only counts; so what is
measured is the client: segments, prompts, the store, the hand-over.
"""

import argparse
import contextlib
import json
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends import Backend
from lift.synthesis.producer import TaskProducer
from lift.synthesis.prompts import Request
from lift.task_store import TaskStore


class Instant(Backend):
    name = "instant"

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str]]:
        yield self._pieces(request)

    async def _pieces(self, request: Request) -> AsyncIterator[str]:
        index, text = request.segments[0].index, request.segments[0].text[:60]
        yield json.dumps([{"question": f"What stands in line {index}, part {n}?", "answer": text} for n in range(2)])


def peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=int, default=10_000_000)
    arguments = parser.parse_args()
    line = "Line {} of a long report says that the council met again to speak about the bridge and the mill. "
    lines, length = [], 0
    while length < arguments.characters:
        lines.append(line.format(len(lines)))
        length += len(lines[-1])
    document = Document.from_text("".join(lines), "A long report")
    del lines
    recipe = Recipe(tasks_per_segment=2, check_pairs=False)
    backend, begun, taken = Instant(), peak_mib(), 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        segments = backend.segments(document, recipe)
        after_split = peak_mib()
        with (
            TaskStore.open(Path(folder, "t.jsonl"), document, backend.identity(document, recipe), segments) as store,
            TaskProducer(document, backend, recipe, store) as producer,
            contextlib.suppress(EOFError),
        ):
            while True:
                taken += len(producer.take(timeout=1.0))
    print(
        json.dumps(
            {
                "characters": len(document.text),
                "segments": len(segments),
                "tasks": taken,
                "peak_mib_before": begun,
                "peak_mib_after_splitting": after_split,
                "peak_mib": peak_mib(),
                "seconds": round(time.monotonic() - started, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
