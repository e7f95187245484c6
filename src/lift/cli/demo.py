"""`lift demo`: a real document, a small model, questions before and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift.bundled import EXAMPLE_TITLE, example_folder
from lift.cli.absorb import summary
from lift.cli.console import note
from lift.cli.displays import progress_display
from lift.jsonl import read_jsonl

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["demo"]

_SHOWN = 10


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the adapter; replaced.")] = Path("demo-adapter"),
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the adapter and of the order of the tasks.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")] = False,
) -> None:
    """Absorb a bundled document with the embedded model and compare its answers before and after.

    The document is the first part of Wikipedia's article on the architect José Luis Picardo. Its tasks were
    recorded earlier from a strong language model: the demo trains for real, but generates nothing.
    """
    folder = example_folder()
    questions = [question for _, question in read_jsonl(folder / "eval.jsonl")]
    note(f"Document: {EXAMPLE_TITLE}, {folder / 'picardo.txt'} (Wikipedia, CC BY-SA 4.0)")
    note("Its question-answer tasks were recorded earlier from a strong language model; training is real, and here.")

    from lift.evaluation.scores import keyword_match
    from lift.pipeline import absorb
    from lift.presets import load_recipe

    with progress_display(quiet=as_json) as show:
        lifted = absorb(
            folder / "picardo.txt",
            generator=f"recorded:{folder / 'tasks.jsonl'}",
            title=EXAMPLE_TITLE,
            recipe=load_recipe("cpu", {"seed": seed}),
            out=out,
            overwrite=True,
            on_progress=show,
        )
    note(f"Answering {len(questions)} questions that it was not trained on, without and with the adapter ...")
    asked = [question["question"] for question in questions]
    before = lifted.ask_many(asked, without_adapter=True, max_new_tokens=64)
    after = lifted.ask_many(asked, max_new_tokens=64)
    recalling = lifted.ask_many(asked, context=lifted.retriever(), max_new_tokens=64)

    def right(answers: list[str]) -> int:
        return sum(
            keyword_match(answer, question["keywords"]) for answer, question in zip(answers, questions, strict=True)
        )

    result: dict[str, Any] = {
        "questions": len(questions),
        "right_before": right(before),
        "right_after": right(after),
        "right_with_recall": right(recalling),
        "training_seconds": lifted.manifest.seconds["training"],
        "total_seconds": lifted.manifest.seconds["total"],
        "tokens_per_second": lifted.manifest.counts["tokens_per_second"],
        "folder": str(out),
    }
    if as_json:
        typer.echo(json.dumps(result))
        return
    from rich.console import Console

    stdout = Console()
    stdout.print(_table(questions, before, after))
    count = len(questions)
    stdout.print(
        f"right answers: {result['right_before']} of {count} before ({result['right_before'] / count:.0%}), "
        f"{result['right_after']} of {count} after ({result['right_after'] / count:.0%})\n"
        f"with its tasks looked up (--recall): {result['right_with_recall']} of {count} "
        f"({result['right_with_recall'] / count:.0%})",
        highlight=False,
    )
    for line in summary(lifted.manifest):
        note(line)
    note(f'Ask it yourself: lift ask {out} "Where was José Luis Picardo born?" (--recall: with its tasks looked up)')


def _table(questions: list[dict[str, Any]], before: list[str], after: list[str]) -> Table:
    from rich.table import Table

    from lift.evaluation.scores import keyword_match

    table = Table("question", "before", "after", "", "reference", show_lines=True)
    step = max(1, len(questions) // _SHOWN)
    for index in range(0, step * _SHOWN, step):
        question = questions[index]
        mark = "[green]✓[/green]" if keyword_match(after[index], question["keywords"]) else "[red]✗[/red]"
        table.add_row(question["question"], before[index], after[index], mark, question["answer"])
    return table
