"""Whether retrieval finds the segment that a question is about, by its own words and by what its tasks say.

    python benchmarks/retrieval.py ../shared/data/picardo.txt=../shared/data/picardo.tasks.jsonl training_data

The last task of every recorded segment asks, the others help to find it. Prints a table: of how many questions the
right segment is the best one, and of how many it is among the best five. A folder holds pairs of NAME.txt and
NAME.tasks.jsonl, which are counted together.
"""

import argparse
from pathlib import Path

from outcome import print_table

from lift.cli.writer import named_recordings
from lift.document import read_document
from lift.jsonl import read_jsonl
from lift.retrieval import Retriever
from lift.task_store import text_hash


def questions_found(document: Path, recording: Path, *, by_tasks: bool) -> list[int | None]:
    """The rank of the right segment for each held-out question, from 0; None if it is not among the best five."""
    records = [record for _, record in read_jsonl(recording) if len(record["tasks"]) > 1]
    told = {
        text_hash(record["text"]): [f"{task['question']} {task['answer']}" for task in record["tasks"][:-1]]
        for record in records
    }
    retriever = Retriever(read_document(document), told=told if by_tasks else {})
    places = {text_hash(segment): place for place, segment in enumerate(retriever.segments)}
    found: list[int | None] = []
    for record in records:
        if (place := places.get(text_hash(record["text"]))) is not None:  # cut like this today
            ranked = list(retriever.rank(record["tasks"][-1]["question"], 5))
            found.append(ranked.index(place) if place in ranked else None)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recorded", nargs="+", metavar="TEXT=TASKS|FOLDER")
    rows = []
    for given in parser.parse_args().recorded:
        pairs = [(document, tasks) for _, document, tasks in named_recordings(given)]
        row: dict[str, object] = {"recorded": Path(given.partition("=")[0]).name}
        for name, by_tasks in (("own words", False), ("and its tasks'", True)):
            found = [rank for pair in pairs for rank in questions_found(*pair, by_tasks=by_tasks)]
            row["questions"] = len(found)
            row[f"best, {name}"] = f"{found.count(0) / len(found):.1%}"
            row[f"among five, {name}"] = f"{1 - found.count(None) / len(found):.1%}"
        rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    main()
