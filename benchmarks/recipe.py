"""Chooses hyper-parameters on held-out tasks: the last task of every Nth segment is kept out of training.

    python benchmarks/recipe.py examples/picardo --title "José Luis Picardo" --set lr=1e-3

Prints one JSON line: token F1 of the answers to the held-out questions, with a bootstrap interval, seconds
of training, and the knobs. The folder holds one .txt document and `tasks.jsonl`; --document and --tasks name
other files.
"""

import argparse
import json
import tempfile
from pathlib import Path

import lift
from lift.evaluation.scores import bootstrap_interval
from lift.overlap import token_f1


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
    records = [json.loads(line) for line in tasks.read_text(encoding="utf-8").splitlines()][: arguments.first]
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
    scores = [token_f1(answer, task["answer"]) for answer, task in zip(answers, held_out, strict=True)]
    low, high = bootstrap_interval([[score] for score in scores])
    print(
        json.dumps(
            {
                "document": document.name,
                "f1": round(sum(scores) / len(scores), 4),
                "interval": [round(low, 4), round(high, 4)],
                "n": len(scores),
                "steps": lifted.manifest.counts["steps"],
                "training_seconds": lifted.manifest.seconds["training"],
                "settings": arguments.settings,
            }
        )
    )


if __name__ == "__main__":
    main()
