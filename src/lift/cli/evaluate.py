"""`lift eval`: methods on a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lift.cli import options
from lift.cli.console import note
from lift.cli.displays import grid_display
from lift.errors import LiftError

__all__ = ["evaluate"]


def evaluate(
    benchmark: Annotated[
        str,
        typer.Argument(
            metavar="BENCHMARK",
            show_default=False,
            help="picardo, loogle-short, loogle-long, loogle-summary, needle, needle-alone, squad, longbench-TASK, or "
            "a JSONL file of your own (docs/evaluation.md).",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RESULTS", show_default=False, help="Folder for the results.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="M,M,...",
            help="base, icl, rag, embed, llmlingua, raw, temp-lora, lift, lift+icl, lift+rag, lift+recall; each with "
            "knobs of its own, such as lift:tasks_per_segment=2 or raw:lr=1e-3.",
        ),
    ] = "base,icl,rag,lift,lift+recall,lift+rag",
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the benchmark's files are, if they are not downloaded.")
    ] = None,
    model: options.Model = None,
    generator: options.Generator = None,
    recipe: options.Recipe = None,
    settings: options.Settings = None,
    seeds: Annotated[str, typer.Option(metavar="N,N,...", help="Seeds of the methods that train.")] = "0",
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="URL|openai|deepseek",
            help="An OpenAI-compatible server that judges free answers (its key in $LIFT_JUDGE_KEY).",
        ),
    ] = None,
    judge_model: Annotated[str | None, typer.Option(metavar="NAME", help="The judge's name on its server.")] = None,
    document: Annotated[
        str | None, typer.Option(metavar="TITLE", help="Only documents with this in their title, in either case.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many documents.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many questions a document.")
    ] = None,
    lengths: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Needle: lengths of the haystacks in tokens.")
    ] = None,
    depths: Annotated[str | None, typer.Option(metavar="N,N,...", help="Needle: depths in per cent.")] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    as_json: options.Json = False,
) -> None:
    """Compare LIFT with other methods on BENCHMARK; every answer is kept in RESULTS.

    Interrupted, the same command goes on. `lift report RESULTS` makes tables and plots of it.

    lift eval picardo --methods base,icl,rag,raw,lift --seeds 0,1,2 --out results

    lift eval my.jsonl --model Qwen/Qwen3-4B --generator http://localhost:8001/v1 --out results
    """
    from lift.evaluation.methods import parse_method

    specs = [parse_method(method) for method in methods.split(",")]
    numbers = {
        name: _numbers(value, name) for name, value in (("seeds", seeds), ("lengths", lengths), ("depths", depths))
    }

    from lift.evaluation.benchmarks import open_benchmark
    from lift.evaluation.grid import Grid
    from lift.evaluation.judge import Judge
    from lift.evaluation.report import summary_table
    from lift.evaluation.results import Results, read_answers, read_runs
    from lift.model import load_base_model
    from lift.presets import default_recipe, load_recipe

    chosen = load_recipe(recipe or default_recipe(model), settings or [])
    arbiter = Judge(judge, judge_model) if judge else None
    base = load_base_model(model, device=device, dtype=dtype)
    opened = open_benchmark(
        benchmark,
        data,
        tokenizer=base.tokenizer,
        judged=arbiter is not None,
        lengths=numbers["lengths"],
        depths=numbers["depths"],
    )
    grid = Grid(
        opened,
        specs,
        base=base,
        recipe=chosen,
        generator=generator,
        seeds=numbers["seeds"] or [0],
        judge=arbiter,
        title=document,
        limit=limit,
        sample=sample,
    )
    with Results(out) as results, grid_display(quiet=as_json) as show:
        errors = grid.run(results, show)
    cells = set(grid.cells)
    answers = [answer for answer in read_answers(out) if answer.cell in cells]
    rows = summary_table(answers, [run for run in read_runs(out) if run.cell in cells])
    if as_json:
        typer.echo(json.dumps([row.to_dict() for row in rows], ensure_ascii=False))
    else:
        for row in rows:
            typer.echo(row.line())
        note(f"Every answer is in {out}; tables and plots: lift report {out}")
    if errors:
        raise LiftError(f"{errors} answers have no score (see `error` in {out}/answers.jsonl); run again to retry them")


def _numbers(text: str | None, name: str) -> list[int] | None:
    try:
        return None if text is None else [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of whole numbers", param_hint=f"--{name}") from None
