"""Time to first token with generation and training at once, against one after the other (the paper's figure a).

    python benchmarks/pipeline.py --length 1000 --length 2000 --length 4000 --plot pipeline.svg

From the document in hand and the base model loaded to the first token of an answer, with one task a segment and 5
passes. The generator is a replay server, a process of its own, that writes at set rates. Three ways: every pass
overlaps with the writing of tasks (lift), only the first one does (the paper's way), or all tasks are written before
training begins.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from example import EXAMPLE, TITLE, lifted_model
from outcome import plot_lines, print_table
from replay import replay_server

import lift
from lift.attaching import attach_adapter
from lift.generation import open_inputs, open_store
from lift.jsonl import read_jsonl
from lift.synthesis.producer import TaskProducer
from lift.training.encoding import EncodedTask, encode_task
from lift.training.schedule import Schedule, straight_fall
from lift.training.trainer import Trainer

QUESTION = "Where was José Luis Picardo born?"


def answered(lifted: lift.LiftedModel, started: float) -> float:
    """Seconds from `started` to the first token of an answer."""
    lifted.ask(QUESTION, max_new_tokens=1)
    seconds = time.monotonic() - started
    lifted.close()
    return seconds


def overlap(base: lift.BaseModel, document: lift.Document, url: str, recipe: lift.Recipe, folder: Path) -> float:
    started = time.monotonic()
    return answered(lift.absorb(document, model=base, generator=url, recipe=recipe, out=folder / "overlap"), started)


def one_by_one(base: lift.BaseModel, document: lift.Document, url: str, recipe: lift.Recipe, folder: Path) -> float:
    started = time.monotonic()
    lift.write_tasks(document, folder / "tasks.jsonl", generator=url, recipe=recipe)
    recorded = f"recorded:{folder / 'tasks.jsonl'}"
    return answered(lift.absorb(document, model=base, generator=recorded, recipe=recipe, out=folder / "after"), started)


def first_pass(base: lift.BaseModel, document: lift.Document, url: str, recipe: lift.Recipe, folder: Path) -> float:
    """Steps of tasks as they come, once each; then the other passes over all of them, in steps of the same size."""
    started = time.monotonic()
    document, backend = open_inputs(document, None, url, None, base)
    chat_format = base.chat_format(recipe.prompt_template, document.title)
    tasks: list[EncodedTask] = []
    adapted = attach_adapter(base, recipe)
    size = recipe.tasks_in_a_step(recipe.expected_tasks(len(backend.segments(document, recipe))))
    with (
        open_store(folder / "first.jsonl", document, backend, recipe, overwrite=False) as store,
        TaskProducer(document, backend, recipe, store) as producer,
        Trainer(adapted, recipe) as trainer,
    ):
        visited, open_ = 0, True
        while open_ or visited < len(tasks):
            try:
                fresh = producer.take(timeout=0.2) if len(tasks) - visited < size and open_ else []
            except EOFError:
                fresh, open_ = [], False
            tasks += [encode_task(task, chat_format, base.context_tokens) for task in fresh]
            if len(tasks) - visited >= size or not open_:
                step = tasks[visited : visited + size]
                visited += len(step)
                if step:
                    trainer.step(step)
        schedule = Schedule(epochs=recipe.epochs - 1, tasks_per_step=size, seed=recipe.seed)
        schedule.arrive(range(len(tasks)))
        schedule.close()
        total = len(tasks) * (recipe.epochs - 1)
        while step_numbers := schedule.next_step():
            fall = straight_fall(schedule.visits, total, recipe.decay_share)
            trainer.step([tasks[number] for number in step_numbers], lr_scale=fall)
        trainer.take_losses()
    return answered(lifted_model(base, adapted, recipe), started)


WAYS = {
    "lift: every pass overlaps": overlap,
    "the first pass overlaps (the paper's way)": first_pass,
    "one after the other": one_by_one,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, action="append", default=[], help="tokens of the document")
    parser.add_argument("--data", type=Path, help="a folder with picardo.txt and its tasks, for more than 3,900 tokens")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--first-token", type=float, default=0.5, help="seconds")
    parser.add_argument("--token", type=float, default=0.02, help="seconds a token (four characters)")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    text = ((arguments.data or EXAMPLE) / "picardo.txt").read_text(encoding="utf-8")
    recording = arguments.data / "picardo.tasks.jsonl" if arguments.data else EXAMPLE / "tasks.jsonl"
    recipe = lift.load_recipe("cpu", ["epochs=5", "tasks_per_segment=1", *arguments.settings])
    base = lift.load_base_model()
    offsets = base.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    speeds = {"slots": arguments.slots, "first_token": arguments.first_token, "token": arguments.token}
    with tempfile.TemporaryDirectory() as scratch:
        # One task a segment is what is asked for, so one is what the server writes.
        records = [record for _, record in read_jsonl(recording)]
        asked = Path(scratch, "one.jsonl")
        lines = (json.dumps({**record, "tasks": record["tasks"][: recipe.tasks_per_segment]}) for record in records)
        asked.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        with replay_server(asked, **speeds) as url:
            warm_up = lift.Document.from_text(text[:500], TITLE)
            overlap(base, warm_up, url, recipe, Path(scratch))
            lengths = arguments.length or [1000, 2000]
            seconds: dict[str, list[float]] = {name: [] for name in WAYS}
            for length in lengths:
                document = lift.Document.from_text(text[: offsets[min(length, len(offsets)) - 1][1]], TITLE)
                for name, way in WAYS.items():
                    folder = Path(tempfile.mkdtemp(dir=scratch))
                    seconds[name].append(round(way(base, document, url, recipe, folder), 1))
                    print(json.dumps({"tokens": length, "way": name, "ttft": seconds[name][-1]}), flush=True)
    print_table(
        [
            {"document, tokens": length, **{name: column[number] for name, column in seconds.items()}}
            for number, length in enumerate(lengths)
        ]
    )
    if arguments.plot:
        lines = {name: list(zip(lengths, column, strict=True)) for name, column in seconds.items()}
        plot_lines(arguments.plot, lines, "tokens of the document", "seconds to the first token of an answer")


if __name__ == "__main__":
    main()
