"""`lift info`: what an adapter folder holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from lift.cli import options

if TYPE_CHECKING:
    from lift.adapter import Manifest

__all__ = ["info"]


def info(folder: options.Folder, as_json: options.Json = False) -> None:
    """Say what DIR knows, how it was made, and check that its files are whole."""
    from lift.adapter import read_manifest

    manifest = read_manifest(folder)
    if as_json:
        typer.echo(json.dumps(asdict(manifest), ensure_ascii=False))
        return
    document, base, recipe = manifest.document, manifest.base_model, manifest.recipe
    commit = f", commit {base['commit']}" if base.get("commit") else ""
    lines = {
        "document": f"{document['title']} ({document['characters']:,} characters)",
        "base model": f"{base['id']}{commit}",
        "generator": manifest.generator,
        "adapter": f"{_kind(recipe)}, top {recipe['trained_share']:.0%} of the layers",
        "training": f"{manifest.counts['tasks']} tasks, {recipe['epochs']} visits each, "
        f"{manifest.counts['steps']} steps at lr {recipe['lr']:g}",
        "loss": f"{manifest.losses['first']:.3f} to {manifest.losses['last']:.3f}",
        "answers": "after the passage that they come from, recited" if manifest.recited_tokens else "plain",
        "seconds": ", ".join(f"{name} {value:.1f}" for name, value in manifest.seconds.items()),
        "made with": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
        **engines(manifest, folder),
        "files": "whole",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {value}")


def _kind(recipe: Mapping[str, Any]) -> str:
    if recipe["adapter"] == "none":
        return "none, a full model"
    return f"{recipe['adapter']}, rank {recipe['rank']}, alpha {recipe['alpha']:g}, {recipe['target_modules']}"


# The ranks that vLLM's --max-lora-rank takes.
_VLLM_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)


def engines(manifest: Manifest, folder: Path) -> dict[str, str]:
    """How each engine loads the adapter, or why it cannot."""
    base, recipe = manifest.base_model["hub_id"], manifest.recipe
    if recipe["adapter"] == "none":
        return {"vLLM": f"vllm serve {folder}", "transformers": f"from_pretrained({str(folder)!r})"}
    merged = f"lift merge {folder} --out MODEL, then vllm serve MODEL"
    limit = next((rank for rank in _VLLM_RANKS if rank >= recipe["rank"]), None)
    if recipe["adapter"] == "dora":
        vllm = f"takes no DoRA: {merged}"
    elif limit is None:
        vllm = f"takes no rank above {_VLLM_RANKS[-1]}: {merged}"
    else:
        vllm = f"vllm serve {base} --enable-lora --max-lora-rank {limit} --lora-modules NAME={folder}"
    return {"vLLM": vllm, "peft": f"PeftModel.from_pretrained(model, {str(folder)!r}) on {base}"}
