"""`lift chat`: a conversation in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from lift.cli import options
from lift.cli.console import console, fail, note
from lift.errors import LiftError

__all__ = ["chat"]


def chat(
    folder: options.Folder,
    base: Annotated[bool, typer.Option("--base", help="Talk to the base model without the adapter.")] = False,
    context: options.Context = None,
    retrieve: options.Retrieve = None,
    recall: options.Recall = False,
    segments: options.Segments = None,
    adapter_scale: options.AdapterScale = None,
    passage: options.Passage = False,
    model: options.StoredModel = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
) -> None:
    """Talk to the model that absorbed a document.

    Ctrl-C stops an answer; Ctrl-D or /exit ends the conversation; /new starts another one.
    """
    options.check_scale(base, adapter_scale)
    options.check_passage(folder, passage)
    read = options.read_shown(context, retrieve, recall, segments)

    from lift.chat import load

    lifted = load(folder, model=model, device=device, dtype=dtype)
    shown = read(lifted)
    note(f"{lifted.title}. Ctrl-C stops an answer, /new starts again, Ctrl-D ends.")
    conversation = lifted.chat()
    while True:
        try:
            question = console().input("[bold]> [/bold]").strip()
        except (EOFError, KeyboardInterrupt):
            console().print()
            return
        if question == "/exit":
            return
        if question == "/new":
            conversation = lifted.chat()
        elif question:
            try:
                for piece in conversation.ask(
                    question,
                    context=shown,
                    without_adapter=base,
                    adapter_scale=adapter_scale,
                    with_passage=passage,
                ):
                    typer.echo(piece, nl=False)
            except KeyboardInterrupt:
                pass
            except LiftError as error:  # a question that is too long need not end the conversation
                fail(str(error))
                continue
            typer.echo()
