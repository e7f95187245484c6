"""`lift info`: what an adapter folder holds."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from lift.cli import options

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
        "adapter": f"LoRA rank {recipe['rank']}, alpha {recipe['alpha']:g}, {recipe['target_modules']}",
        "training": f"{manifest.counts['tasks']} tasks, {recipe['epochs']} visits each, "
        f"{manifest.counts['steps']} steps at lr {recipe['lr']:g}",
        "loss": f"{manifest.losses['first']:.3f} to {manifest.losses['last']:.3f}",
        "seconds": ", ".join(f"{name} {value:.1f}" for name, value in manifest.seconds.items()),
        "made with": ", ".join(f"{name} {value}" for name, value in manifest.versions.items()),
        "vLLM": f"vllm serve {base['hub_id']} --enable-lora --max-lora-rank {recipe['rank']} "
        f"--lora-modules NAME={folder}",
        "files": "whole",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {value}")
