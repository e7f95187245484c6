"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from lift.cli import absorb, ask, chat, demo, evaluate, info, merge, recipe, report, tasks, writer

__all__ = ["app"]

app = typer.Typer(
    name="lift",
    help="Make a language model know a document, then ask it without the document.\n\n"
    "lift absorb reads a document, has a generator model write questions and answers about it, and trains a "
    "LoRA adapter on them meanwhile. lift ask and lift chat then answer from the adapter alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"lift {version('lift-llm')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("absorb")(absorb.absorb)
app.command("tasks")(tasks.tasks)
app.command("ask")(ask.ask)
app.command("chat")(chat.chat)
app.command("info")(info.info)
app.command("merge")(merge.merge)
app.command("recipe")(recipe.recipe)
app.command("writer")(writer.writer)
app.command("eval")(evaluate.evaluate)
app.command("report")(report.report)
app.command("demo")(demo.demo)
