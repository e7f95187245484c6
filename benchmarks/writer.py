"""How good a task writer is on a document that it has not seen: pairs kept, tasks/s, and pairs to judge by reading.

    python benchmarks/writer.py benchmarks/abe/abe.txt --title "Assassination of Shinzo Abe" --writer writers/no-abe \
        --tasks abe.jsonl --sample abe.judge.jsonl

Writes the tasks to --tasks (for `lift eval`, `--generator recorded:abe.jsonl`) and a random sample of them, each with
its segment, to --sample; a reader fills in `right` and `alone`. With --judged FILE it only counts such a file.
"""

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

from lift.document import read_document
from lift.evaluation.scores import wilson_interval
from lift.generation import write_tasks
from lift.jsonl import read_jsonl
from lift.presets import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path, nargs="?")
    parser.add_argument("--title")
    parser.add_argument("--writer", type=Path, help="default: the one that comes with lift")
    parser.add_argument("--tasks", type=Path, default=Path("tasks.jsonl"))
    parser.add_argument("--sample", type=Path)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--judged", type=Path)
    arguments = parser.parse_args()
    if arguments.judged:
        print(json.dumps(judged(arguments.judged)))
        return
    document = read_document(arguments.document, arguments.title)
    generator = f"writer:{arguments.writer}" if arguments.writer else "writer"
    started = time.monotonic()
    counts = write_tasks(
        document, arguments.tasks, generator=generator, recipe=load_recipe("cpu", arguments.settings), overwrite=True
    )
    seconds = time.monotonic() - started
    dropped = {name: count for name, count in counts.items() if name.startswith("pairs dropped by the writer")}
    quoted = counts["pairs that quote the text"]
    told = counts.get("questions answered with their sentences", 0)
    kept = counts["tasks"] - told - quoted
    written = kept + sum(dropped.values())
    print(
        json.dumps(
            {
                "document": arguments.document.name,
                "segments": counts["segments"],
                "tasks": counts["tasks"],
                "seconds, the model's loading included": round(seconds, 1),
                "tasks a second": round(counts["tasks"] / seconds, 2),
                "pairs written": written,
                "of these kept": kept,
                "share kept": round(kept / written, 3),
                "questions answered with their sentences": told,
                "pairs that quote the text": quoted,
                **dropped,
            }
        )
    )
    if arguments.sample:
        write_sample(arguments.tasks, document.text, arguments.sample, arguments.size)


def write_sample(tasks: Path, text: str, sample: Path, size: int) -> None:
    header, *records = [record for _, record in read_jsonl(tasks)]
    pairs = [record for record in records if record["record"] == "task"]
    lines: list[dict[str, Any]] = []
    for pair in random.Random(0).sample(pairs, min(size, len(pairs))):
        start, end, _ = header["segments"][pair["segments"][0]]
        lines.append(
            {"segment": text[start:end], "question": pair["question"], "answer": pair["answer"], "right": 0, "alone": 0}
        )
    sample.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def judged(path: Path) -> dict[str, Any]:
    lines = [line for _, line in read_jsonl(path)]
    counts = {name: sum(line[name] for line in lines) for name in ("right", "alone")}
    both = sum(line["right"] and line["alone"] for line in lines)
    low, high = wilson_interval(both, len(lines))
    return {"n": len(lines), **counts, "right and alone": both, "interval": [round(low, 3), round(high, 3)]}


if __name__ == "__main__":
    main()
