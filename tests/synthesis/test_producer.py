"""What the producer says about a real server that answers several requests at once."""

import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends import open_backend
from lift.synthesis.producer import TaskProducer
from lift.task_store import TaskStore
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

RECIPE = Recipe(tasks_per_segment=5, generator_concurrency=4)


def test_the_time_left_is_foretold_from_the_first_tasks(picardo: Document, tmp_path: Path) -> None:
    document = Document.from_text(picardo.text[:3000], picardo.title)
    with ReplayServer(RECORDED, token_seconds=0.004, first_token_seconds=0.1) as server:
        backend = open_backend(server.url)
        segments = backend.segments(document, RECIPE)
        store = TaskStore.open(tmp_path / "t.jsonl", document, backend.identity(document, RECIPE), segments)
        foretold: list[tuple[float, float]] = []
        with store, TaskProducer(document, backend, RECIPE, store) as producer:
            assert producer.seconds_left is None
            while True:
                try:
                    producer.take(timeout=0.05)
                except EOFError:
                    break
                if (left := producer.seconds_left) is not None:
                    foretold.append((time.monotonic(), left))
            ended = time.monotonic()
            assert producer.seconds_left == 0.0
    begun = foretold[0][0]
    assert producer.counts.answered == len(segments) > 8
    # Not a whole answer had ended yet when the first estimate was made.
    assert foretold[0][1] > 0.3 * (ended - begun)
    for when, left in foretold:
        if begun + 0.2 * (ended - begun) < when < begun + 0.8 * (ended - begun):
            assert 0.4 * (ended - when) < left < 2.5 * (ended - when)


def test_a_backend_that_takes_turns_with_training_is_never_nearly_done(short: Document) -> None:
    backend: Any = SimpleNamespace(needs_model=True)
    store: Any = SimpleNamespace(segments=[], read_tasks=lambda: iter(()))
    assert TaskProducer(short, backend, RECIPE, store).seconds_left == math.inf
