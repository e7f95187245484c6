"""Chooses hyper-parameters on held-out tasks: the last task of every Nth segment is kept out of training.

    python benchmarks/recipe.py examples/picardo --title "José Luis Picardo" --set lr=1e-3

Prints one JSON line: of the answers to the held-out questions token F1 and the share of new words (those of the
reference, stop words aside, that the question does not have), both with bootstrap intervals; seconds of training; the
knobs. F1 rewards an answer's form, which any training teaches; new words are what has to be known. The folder holds
one .txt document and `tasks.jsonl`; --document and --tasks name other files.
"""

import argparse
import json
import tempfile
from pathlib import Path

import lift
from lift.evaluation.scores import bootstrap_interval
from lift.jsonl import read_jsonl
from lift.overlap import token_f1
from lift.synthesis.checks import normalised
from lift.synthesis.foci import STOP_WORDS


def new_words(question: str, answer: str, reference: str) -> float | None:
    """Share of the reference's words that the question does not have which the answer has; None without such words."""
    asked, found, wanted = (set(normalised(text).split()) for text in (question, answer, reference))
    new = wanted - asked - STOP_WORDS
    return len(new & found) / len(new) if new else None


def summary(scores: list[float]) -> tuple[float, list[float]]:
    """Mean and interval."""
    return round(sum(scores) / len(scores), 4), [round(bound, 4) for bound in bootstrap_interval([[s] for s in scores])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("examples/picardo"))
    parser.add_argument("--document", type=Path, help="text file; default: the folder's only .txt")
    parser.add_argument("--tasks", type=Path, help="recorded tasks; default: the folder's tasks.jsonl")
    parser.add_argument("--title", default="José Luis Picardo")
    parser.add_argument("--first", type=int, help="only the first N recorded segments")
    parser.add_argument("--every", type=int, default=10, help="hold out the last task of every Nth segment")
    parser.add_argument("--recipe", default="cpu")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()

    document = arguments.document or next(arguments.folder.glob("*.txt"))
    tasks = arguments.tasks or arguments.folder / "tasks.jsonl"
    records = [record for _, record in read_jsonl(tasks)][: arguments.first]
    held_out = [record["tasks"].pop() for record in records[:: arguments.every]]
    text = document.read_text(encoding="utf-8")[: records[-1]["end"]]
    with tempfile.TemporaryDirectory() as folder:
        training = Path(folder, "training.jsonl")
        training.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        lifted = lift.absorb(
            lift.Document.from_text(text, arguments.title),
            generator=f"recorded:{training}",
            recipe=lift.load_recipe(arguments.recipe, arguments.settings),
        )
        answers = lifted.ask_many([task["question"] for task in held_out], max_new_tokens=64)
    pairs = list(zip(answers, held_out, strict=True))
    f1, interval = summary([token_f1(answer, task["answer"]) for answer, task in pairs])
    shares = [new_words(task["question"], answer, task["answer"]) for answer, task in pairs]
    new, new_interval = summary([share for share in shares if share is not None])
    print(
        json.dumps(
            {
                "document": document.name,
                "f1": f1,
                "interval": interval,
                "new_words": new,
                "new_words_interval": new_interval,
                "n": len(pairs),
                "steps": lifted.manifest.counts["steps"],
                "training_seconds": lifted.manifest.seconds["training"],
                "settings": arguments.settings,
            }
        )
    )


if __name__ == "__main__":
    main()
