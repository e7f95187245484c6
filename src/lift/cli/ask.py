"""`lift ask`: questions to an adapter."""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Final

import typer

from lift.cli import options
from lift.cli.console import note

__all__ = ["ask"]

# Questions answered before their answers are written.
_AT_ONCE: Final = 64


def ask(
    folder: options.Folder,
    questions: Annotated[
        list[str] | None, typer.Argument(metavar='"question" ...', show_default=False, help="One or more questions.")
    ] = None,
    base: Annotated[bool, typer.Option("--base", help="What the base model says without the adapter.")] = False,
    context: options.Context = None,
    retrieve: options.Retrieve = None,
    recall: options.Recall = False,
    segments: options.Segments = None,
    adapter_scale: options.AdapterScale = None,
    passage: options.Passage = False,
    questions_file: Annotated[
        Path | None,
        typer.Option("--questions", metavar="FILE.jsonl", help='A question a line: {"id": ..., "question": ...}.'),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="ANSWERS.jsonl", help='Where the answers to --questions go, with "answer" added.'),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="Longest answer, in tokens.")] = 256,
    model: options.StoredModel = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
) -> None:
    """Ask the model that absorbed a document. Answers go to stdout, in the order of the questions.

    lift ask adapters/report "Who signed the agreement?"

    lift ask adapters/report "Who signed the agreement?" --recall

    lift ask adapters/report "Who signed the agreement?" --retrieve report.pdf
    """
    if bool(questions) == bool(questions_file):
        raise typer.BadParameter("give either questions or --questions FILE.jsonl", param_hint="questions")
    if out is not None and questions_file is None:
        raise typer.BadParameter("--out goes with --questions FILE.jsonl", param_hint="--out")
    records = _read_questions(questions_file) if questions_file else []
    asked = questions or [str(record["question"]) for record in records]

    options.check_scale(base, adapter_scale)
    options.check_passage(folder, passage)
    read = options.read_shown(context, retrieve, recall, segments)

    from lift.chat import load

    lifted = load(folder, model=model, device=device, dtype=dtype)
    shown = read(lifted)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext() if out is None else out.open("w", encoding="utf-8") as file:
        # A part at a time, so that an interruption loses little of a long file.
        for start in range(0, len(asked), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            answers = lifted.ask_many(
                asked[part],
                context=shown,
                without_adapter=base,
                adapter_scale=adapter_scale,
                max_new_tokens=max_new_tokens,
                with_passage=passage,
            )
            for answer, record in zip_longest(answers, records[part]):
                typer.echo(answer if record is None else _line(record, answer), file)
    if out is not None:
        note(f"{len(asked)} answers in {out}")


def _line(record: dict[str, object], answer: str) -> str:
    return json.dumps(record | {"answer": answer}, ensure_ascii=False)


def _read_questions(path: Path) -> list[dict[str, object]]:
    from lift.errors import TaskFileError
    from lift.jsonl import read_jsonl

    records: list[dict[str, object]] = []
    for number, value in read_jsonl(path):
        if not isinstance(value.get("question"), str) or not str(value["question"]).strip():
            raise TaskFileError(f'{path}:{number}: no "question"; a line is {{"id": ..., "question": "..."}}')
        # A question file may hold reference answers; they are no part of what is answered.
        records.append({key: value[key] for key in ("id", "question") if key in value})
    if not records:
        raise TaskFileError(f"{path} holds no questions")
    return records
