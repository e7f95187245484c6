"""`lift merge`: a full model with the adapter in its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lift.cli import options
from lift.cli.console import note

__all__ = ["merge"]


def merge(
    folder: options.Folder,
    out: Annotated[Path, typer.Option(metavar="DIR", show_default=False, help="New folder for the full model.")],
    adapter_scale: Annotated[
        float,
        typer.Option(min=0.0, metavar="X", help="How much of the adapter counts: 0.5 where texts go with questions."),
    ] = 1.0,
    model: options.StoredModel = None,
    device: options.Device = "cpu",
    dtype: options.Dtype = "auto",
) -> None:
    """Write a full model with the adapter of DIR merged into its weights, for engines without LoRA.

    lift merge adapters/report --out models/report
    """
    from lift.adapter import check_base_model, read_manifest, save_merged
    from lift.model import load_base_model

    manifest = read_manifest(folder)
    base = load_base_model(model or manifest.base_model["id"], device=device, dtype=dtype)
    check_base_model(base, manifest)
    save_merged(base, folder, out, adapter_scale=adapter_scale)
    note(f"The merged model is in {out}")
