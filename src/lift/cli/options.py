"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    import lift.chat

_DOCUMENT = typer.Argument(
    show_default=False,
    metavar="DOCUMENT",
    help="Text, Markdown, CSV or a program; PDF, DOCX, PPTX, HTML, EPUB, notebooks, RST and subtitles with the extra "
    "lift-llm[documents]; LaTeX, ODT, RTF, Org, DocBook, FB2, MediaWiki and Textile with lift-llm[pandoc]; or a folder "
    "of them.",
)
Document = Annotated[Path, _DOCUMENT]
Documents = Annotated[list[Path], _DOCUMENT]
Folder = Annotated[Path, typer.Argument(show_default=False, metavar="DIR", help="An adapter folder.")]
GeneratorModel = Annotated[
    str | None,
    typer.Option(
        "--generator-model",
        metavar="NAME",
        help="The generator's name on its server; not needed if the server offers one model only.",
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE.yaml",
        help="Settings of the run: paper, paper-5, fast, cpu, or a YAML file (lift recipe writes one). Default: cpu "
        "for the embedded model, else paper.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One knob, such as epochs=3 (lift recipe explains them all). Can be repeated.",
    ),
]
_GENERATORS = "URL|openai|deepseek|vllm:MODEL|self|writer[:DIR]|quotes|recorded:FILE"
Generator = Annotated[
    str | None,
    typer.Option(
        metavar=_GENERATORS,
        show_default=False,
        help="Who writes the tasks: an OpenAI-compatible server (its key in $LIFT_API_KEY), a provider (its key "
        "in $OPENAI_API_KEY, $DEEPSEEK_API_KEY), vLLM started for this run, self (the base model itself, which "
        "should then be a capable one), writer (the embedded model, taught to write tasks; its default), a writer of "
        "your own (lift writer), quotes (no model: questions by rules, the document's own sentences as answers), or a "
        "recorded file.",
    ),
]
Title = Annotated[
    str | None,
    typer.Option(metavar="T", help="The document's title, as questions will name it. Default: the document's own."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a finished result; tasks of the same document are used again.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout, and no progress.")]
MaxRequests = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Stop, resumably, after N requests to the generator.")
]
MaxTokens = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Stop, resumably, before the generator reads and writes more than N tokens."),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Print what generation would cost and which host gets the document; send nothing."),
]

Model = Annotated[
    str | None,
    typer.Option(
        metavar="M",
        help="Base model: a hub id, a folder or a GGUF file. Default: the embedded SmolLM2-135M-Instruct.",
    ),
]
StoredModel = Annotated[
    str | None,
    typer.Option("--model", metavar="M", help="Where the base model is now. Default: as the adapter's folder says."),
]
Device = Annotated[str, typer.Option(metavar="D", help="auto, cpu, cuda or mps.")]
Dtype = Annotated[str, typer.Option(metavar="T", help="auto, float32, bfloat16, or nf4 (4-bit weights, QLoRA).")]

Context = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Put this text into the prompt as well: all of it, or its head and tail as far as they fit.",
    ),
]
Retrieve = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Put into the prompt what this text, the document for instance, says about the question, and what the "
        "adapter's tasks say.",
    ),
]
Recall = Annotated[
    bool,
    typer.Option(
        "--recall", help="Put into the prompt what the adapter's tasks say about the question; needs no document."
    ),
]
Segments = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Of how many segments --retrieve or --recall shows something; a small model reads best what is short. "
        "Default: as the recipe of the adapter says (1 for the embedded model, 5 for others).",
    ),
]
Passage = Annotated[
    bool,
    typer.Option(
        "--passage",
        help="Print what the model recites before its answer as well: the passage, from memory (adapters of recipes "
        "with recite=true).",
    ),
]
AdapterScale = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="X",
        help="How much of the adapter counts: 1 is all of it, 0 the base model. Default: 1, or with --context, "
        "--retrieve or --recall as lift.json says (0.75; 0.5 after the embedded writer): a model between the two reads "
        "better.",
    ),
]


def check_scale(base: bool, adapter_scale: float | None) -> None:
    """--base and --adapter-scale say different things about the same."""
    if base and adapter_scale is not None:
        raise typer.BadParameter(
            "--base is the model without the adapter; give one of them", param_hint="--adapter-scale"
        )


def check_passage(folder: Path, passage: bool) -> None:
    """--passage wants an adapter that was trained to recite; said before the model is loaded."""
    if not passage:
        return
    from lift.adapter import read_manifest

    if not read_manifest(folder).recited_tokens:
        raise typer.BadParameter(
            "this adapter recites nothing; absorb the document with --set recite=true", param_hint="--passage"
        )


def read_shown(
    context: Path | None, retrieve: Path | None, recall: bool, segments: int | None
) -> Callable[[lift.chat.LiftedModel], lift.chat.Context | None]:
    """What --context, --retrieve or --recall puts into prompts, once the model is there; documents are read now."""
    if sum(map(bool, (context, retrieve, recall))) > 1:
        raise typer.BadParameter("give one of --context, --retrieve and --recall", param_hint="--retrieve")
    if segments is not None and not (retrieve or recall):
        raise typer.BadParameter("goes with --retrieve or --recall", param_hint="--segments")
    if recall:
        return lambda lifted: lifted.retriever(segments=segments)
    path = context or retrieve
    if path is None:
        return lambda lifted: None
    from lift.document import read_document

    document = read_document(path)
    return lambda lifted: document.text if context else lifted.retriever(document, segments=segments)
