"""The result on disk: a plain PEFT folder or a full model, and `lift.json`, written last and atomically."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lift.atomic import write_atomically
from lift.devices import NF4
from lift.errors import AdapterError, AdapterExistsError, BaseModelMismatchError, LiftWarning
from lift.full_tuning import FullTuning

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.nn import Parameter

    from lift.model import Adapted, BaseModel

__all__ = [
    "MANIFEST_FILE",
    "SCALE_BESIDE_TEXT",
    "SCALE_OF_QUOTES",
    "TASKS_FILE",
    "Manifest",
    "check_base_model",
    "check_output_folder",
    "load_adapter",
    "read_manifest",
    "save_adapter",
    "save_merged",
]

MANIFEST_FILE: Final = "lift.json"
TASKS_FILE: Final = "tasks.jsonl"
# A model that was trained to answer by heart reads worse than the base model; between the two is one that does both
# (docs/benchmarks.md; Wortsman et al., arXiv 2109.01903). Answers that are the text's sentences teach it to recite.
SCALE_BESIDE_TEXT: Final = 0.75
SCALE_OF_QUOTES: Final = 0.5
_FORMAT: Final = 1
_ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
_LIBRARIES: Final = ("lift-llm", "torch", "transformers", "peft")


@dataclass(frozen=True)
class Manifest:
    """What `lift.json` says about an adapter.

    Attributes:
        document: title, sha256 of the text, characters, source file's name.
        base_model: id as the user gave it, hub id, commit, fingerprint of the weights, dtype.
        recipe: every knob.
        generator: where the tasks came from.
        counts: segments, tasks, steps, visits, tokens.
        losses: of the first and of the last tenth of the steps.
        seconds: generation, training, total.
        versions: of the libraries that made it.
        files: sha256 of the adapter's files.
        scale_beside_text: how much of the adapter counts where text is shown with a question, unless the user says.
    """

    document: Mapping[str, Any]
    base_model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    generator: str
    counts: Mapping[str, Any]
    losses: Mapping[str, float]
    seconds: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    scale_beside_text: float = SCALE_BESIDE_TEXT
    format: int = _FORMAT

    @property
    def recited_tokens(self) -> int:
        """Room for the passage that the model recites before an answer (the recipe's `recite`); 0 where it does not.

        A segment's longest: so many tokens as it has characters, of which hardly any language needs more, or as it was
        asked to have.
        """
        if not self.recipe.get("recite"):
            return 0
        characters, asked = int(self.recipe["segment_max_chars"]), self.recipe["segment"]
        return max(characters, asked) if isinstance(asked, int) else characters


def check_output_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that already holds a finished adapter, or that is a file.

    Raises:
        AdapterExistsError: there is a `lift.json` and `overwrite` is off.
        AdapterError: `folder` is not a folder.
    """
    if folder.exists() and not folder.is_dir():
        raise AdapterError(f"{folder} is a file; give a folder for the adapter")
    if (folder / MANIFEST_FILE).exists() and not overwrite:
        raise AdapterExistsError(f"{folder} already holds a finished adapter; give another folder, or --overwrite")


def save_adapter(base: BaseModel, adapted: Adapted, manifest: Manifest, folder: Path) -> Manifest:
    """Write `adapted`, one of the adapters of `base`, and the manifest; `lift.json` there means all is there.

    Returns:
        The manifest with library versions and file hashes filled in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
        with base.wearing(adapted):
            names = _save_weights(adapted, scratch)
        _remove_finished(folder)
        for name in names:
            Path(scratch, name).replace(folder / name)
    manifest = replace(
        manifest,
        versions={"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES},
        files={name: _file_hash(folder / name) for name in names},
    )
    write_atomically(folder / MANIFEST_FILE, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")
    return manifest


def _save_weights(adapted: Adapted, folder: str) -> list[str]:
    """Write an adapter that is on, or a full model; the names of the files."""
    if isinstance(adapted, FullTuning):
        adapted.save_pretrained(folder)
        return sorted(path.name for path in Path(folder).iterdir())
    # The weights are views of one buffer; safetensors wants tensors of their own.
    weights = {name: parameter.detach().cpu().clone() for name, parameter in _lora_weights(adapted)}
    # Left to itself, peft would ask the hub whether the vocabulary was resized.
    adapted.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    return list(_ADAPTER_FILES)


def _remove_finished(folder: Path) -> None:
    """What an earlier run left there, which may be of another kind; its `lift.json` first."""
    path = folder / MANIFEST_FILE
    files: list[str] = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        files = [Path(name).name for name in json.loads(path.read_text(encoding="utf-8"))["files"]]
    path.unlink(missing_ok=True)
    for name in files:
        (folder / name).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """Read `lift.json` and check the adapter's files against its hashes.

    Raises:
        AdapterError: there is none (the message says what there is), this lift cannot read it, or a file
            is missing or was changed.
    """
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if not folder.is_dir():
            raise AdapterError(f"no adapter folder at {folder}") from None
        if (folder / TASKS_FILE).exists():
            raise AdapterError(
                f"{folder} holds an unfinished run; the `lift absorb` command that began it goes on with it"
            ) from None
        raise AdapterError(f"{folder} holds no lift.json: it was not written by lift") from None
    except (OSError, ValueError) as error:
        raise AdapterError(f"cannot read {path}: {error}") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != _FORMAT:
        raise AdapterError(f"{path} has format {found!r}; this lift reads {_FORMAT}. Another version of lift wrote it")
    try:
        manifest = Manifest(**content)
    except TypeError as error:
        raise AdapterError(f"{path} is damaged: {error}") from None
    _verify_files(folder, manifest)
    return manifest


def _verify_files(folder: Path, manifest: Manifest) -> None:
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise AdapterError(f"{folder} is incomplete: {name} is missing")
        if _file_hash(path) != expected:
            raise AdapterError(
                f"{path} was changed or damaged since it was written (its hash does not match lift.json)"
            )


def check_base_model(base: BaseModel, manifest: Manifest) -> None:
    """Check that `base` is the model that the adapter was trained on; warn about other library versions.

    Raises:
        BaseModelMismatchError: its weights or its commit differ, or one has 4-bit weights and the other has not.
    """
    trained_on = manifest.base_model
    if (base.dtype_name == NF4) != (trained_on["dtype"] == NF4):
        raise BaseModelMismatchError(
            f"this adapter was trained on a base model in {trained_on['dtype']}, and {base.id} was loaded in "
            f"{base.dtype_name}; give --dtype {trained_on['dtype']}"
        )
    if base.fingerprint != trained_on["fingerprint"]:
        commits = f" (commit {trained_on['commit']}, loaded {base.commit})" if trained_on.get("commit") else ""
        raise BaseModelMismatchError(
            f"this adapter was trained on {trained_on['id']}{commits}; the weights of {base.id} are others. "
            "Name the right base model with --model"
        )
    changed = [
        f"{name} {made_with} (now {version(name)})"
        for name, made_with in manifest.versions.items()
        if name in ("transformers", "peft") and version(name).split(".")[0] != made_with.split(".")[0]
    ]
    if changed:
        message = f"the adapter was made with {', '.join(changed)}; answers may differ"
        warnings.warn(message, LiftWarning, stacklevel=3)


def load_adapter(base: BaseModel, folder: Path) -> Adapted:
    """In its turn, put the adapter in `folder`, or the full model, on `base`, in the dtype that it was trained in.

    What was on before is on again afterwards.
    """
    with base.between_steps(), base.wardrobe.emptied():
        is_lora = (folder / _ADAPTER_FILES[0]).exists()
        adapted = _load_lora(base, folder) if is_lora else FullTuning.load(base, folder)
        base.wardrobe.add(adapted)
        return adapted


def _load_lora(base: BaseModel, folder: Path) -> PeftModel:
    from peft import PeftModel

    from lift.attaching import quiet_peft

    with quiet_peft():
        adapted = PeftModel.from_pretrained(base.network, str(folder), autocast_adapter_dtype=False)
    # The adapter's weights alone: `adapted.to` would round the rotary embedding's frequencies as well.
    for _, parameter in _lora_weights(adapted):
        parameter.data = parameter.data.to(base.dtype)
    return adapted.eval()


def save_merged(base: BaseModel, adapter_folder: Path, folder: Path, *, adapter_scale: float = 1.0) -> None:
    """Write a full model with the adapter merged into the weights.

    Args:
        base: a base model for this alone: its weights are changed.
        adapter_folder: a finished adapter.
        folder: where to; it must not exist or be empty.
        adapter_scale: how much of the adapter counts.

    Raises:
        AdapterExistsError: `folder` is not empty.
        AdapterError: there is nothing to merge (`adapter_folder` holds a full model), or the weights have 4 bits.
    """
    if base.quantised:
        raise AdapterError(
            "merging would round the adapter to the 4 bits of the base model's weights: serve it beside the base "
            "model (lift info says how), or train it with --dtype bfloat16"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AdapterExistsError(f"{folder} is not empty; give a new folder for the merged model")
    adapted = load_adapter(base, adapter_folder)
    if isinstance(adapted, FullTuning):
        raise AdapterError(f"{adapter_folder} is a full model already; copy it, or use it as it is")
    with base.wardrobe.scaled(adapter_scale):
        merged = adapted.merge_and_unload()
    folder.mkdir(parents=True, exist_ok=True)
    merged.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    shutil.copyfile(adapter_folder / MANIFEST_FILE, folder / "lift-source.json")


def _lora_weights(adapted: PeftModel) -> Iterator[tuple[str, Parameter]]:
    return ((name, parameter) for name, parameter in adapted.named_parameters() if "lora_" in name)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
