"""Answers from a model that has absorbed a document."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeAlias

import torch
from transformers import TextIteratorStreamer

from lift.adapter import (
    TASKS_FILE,
    Manifest,
    check_base_model,
    check_output_folder,
    load_adapter,
    read_manifest,
    save_adapter,
    save_merged,
)
from lift.asking import Asker
from lift.chat_format import Turn
from lift.devices import NF4
from lift.document import Document
from lift.errors import AdapterError
from lift.model import Adapted, BaseModel, load_base_model
from lift.recipe import Recipe
from lift.recitation import split_recited, without_recited
from lift.retrieval import Recall, Retriever
from lift.task_store import told_of_texts

__all__ = ["Context", "LiftedModel", "load"]

# Text to be shown with a question, or what finds it for each.
Context: TypeAlias = str | Callable[[str], str]


class LiftedModel:
    """A base model with the adapter of one document.

    Attributes:
        base: the base model; its weights are as they were.
        adapted: the same with the adapter on (a `peft.PeftModel`, or a `FullTuning`). To compute with it directly
            where `base` has several adapters, do so within `base.wearing(adapted)`.
        manifest: what `lift.json` says.
    """

    def __init__(
        self,
        base: BaseModel,
        adapted: Adapted,
        manifest: Manifest,
        tasks: Path | None = None,
        scratch: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.base = base
        self.adapted = adapted
        self.manifest = manifest
        self._tasks = tasks
        self._scratch = scratch  # kept alive as long as this object: it holds the tasks
        chat_format = base.chat_format(manifest.recipe["prompt_template"], manifest.document["title"])
        self._asker = Asker(
            base, adapted, chat_format, manifest.scale_beside_text, recited_tokens=manifest.recited_tokens
        )

    @property
    def title(self) -> str:
        """The document's title."""
        return str(self.manifest.document["title"])

    def retriever(
        self, document: Document | None = None, recipe: Recipe | None = None, *, segments: int | None = None
    ) -> Callable[[str], str]:
        """What finds something to show with a question, a `context` of `ask`.

        Args:
            document: where to look, the document that was absorbed for instance; the tasks that this model was trained
                on help to find what they are about, and are shown with it. None looks for these tasks alone.
            recipe: how it is cut and how much is shown; None is the recipe that this model was trained by.
            segments: of how many segments something is shown; None is as the recipe says.

        Raises:
            AdapterError: there is no document, and no tasks are beside the adapter.
            RecipeError: `segments` is less than one.
        """
        told = told_of_texts(self._tasks) if self._tasks else {}
        recipe = recipe or Recipe.known(self.manifest.recipe)
        if segments is not None:
            recipe = recipe.replace(retrieved_segments=segments)
        if document is not None:
            return Retriever(document, recipe, told)
        if not told:
            raise AdapterError(f"no tasks are left to look among ({TASKS_FILE} beside the adapter); name the document")
        return Recall(told.values(), recipe.retrieved_segments)

    def ask(
        self,
        question: str,
        *,
        context: Context | None = None,
        without_adapter: bool = False,
        adapter_scale: float | None = None,
        max_new_tokens: int = 256,
        with_passage: bool = False,
    ) -> str:
        """The answer to one question, decoded greedily.

        Args:
            question: as a user would put it.
            context: text to put into the prompt as well, or a function of the question that finds it, such as a
                `retriever`; what does not fit is cut out of its middle, head and tail kept (the paper's
                truncated ICL).
            without_adapter: what the base model says by itself.
            adapter_scale: how much of the adapter counts, from 0, the base model, to 1, all of it; None is all, or
                `manifest.scale_beside_text` where there is a `context`, which a model between the two reads better.
            max_new_tokens: limit of the answer's length in tokens; less where the context window has no room, and
                more where a model that was trained to `recite` recites nothing.
            with_passage: also what such a model recites before its answer, as a Markdown quotation: said from memory
                too, and as likely to be wrong.
        """
        return self.ask_many(
            [question],
            context=context,
            without_adapter=without_adapter,
            adapter_scale=adapter_scale,
            max_new_tokens=max_new_tokens,
            with_passage=with_passage,
        )[0]

    def ask_many(
        self,
        questions: Sequence[str],
        *,
        context: Context | None = None,
        without_adapter: bool = False,
        adapter_scale: float | None = None,
        max_new_tokens: int = 256,
        with_passage: bool = False,
    ) -> list[str]:
        """The answers to unrelated questions, in batches of questions of like length; see `ask`."""
        contexts = [_shown(context, question) for question in questions]
        return self._asker.ask_many(
            questions,
            contexts,
            max_new_tokens=max_new_tokens,
            adapter_scale=0 if without_adapter else adapter_scale,
            with_passage=with_passage,
        )

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        context: Context | None = None,
        without_adapter: bool = False,
        adapter_scale: float | None = None,
        max_new_tokens: int = 512,
        with_passage: bool = False,
    ) -> Iterator[str]:
        """The answer in pieces as they are decoded. Closing the iterator stops decoding.

        Args:
            history: earlier turns of the conversation; the oldest are left out where they don't fit.
            question, context, without_adapter, adapter_scale, max_new_tokens, with_passage: see `ask`.
        """
        # "And when?" is about what was asked before.
        shown = _shown(context, " ".join([*(turn.question for turn in history[-1:]), question]))
        scale = self._asker.scale(0 if without_adapter else adapter_scale, beside_text=bool(shown))
        limit = self._asker.limit(max_new_tokens, scale)
        prompt = self._asker.prompt(question, history, context=shown, max_new_tokens=limit)
        streamer = TextIteratorStreamer(self.base.tokenizer, skip_prompt=True, skip_special_tokens=True)
        stop = Event()
        failure: list[BaseException] = []

        def decode() -> None:
            try:
                self._asker.decode(
                    [prompt],
                    limit,
                    adapter_scale=scale,
                    streamer=streamer,
                    stopping_criteria=[lambda ids, scores: torch.full(ids.shape[:1], stop.is_set(), device=ids.device)],
                )
            except BaseException as error:  # handed to the reader below
                failure.append(error)
                streamer.end()

        thread = Thread(target=decode, daemon=True)
        thread.start()
        try:
            pieces = (piece for piece in streamer if piece)
            yield from without_recited(pieces) if self._asker.recites(scale) and not with_passage else pieces
        finally:
            stop.set()
            thread.join()
        if failure:
            raise failure[0]

    def chat(self) -> Conversation:
        """A conversation that remembers its turns."""
        return Conversation(self)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False, merged: bool = False) -> None:
        """Write the adapter as a PEFT folder with `lift.json`, or a full model with the adapter merged in.

        Raises:
            AdapterExistsError: the folder holds a finished adapter already.
        """
        folder = Path(folder)
        if merged:
            with tempfile.TemporaryDirectory() as scratch:
                save_adapter(self.base, self.adapted, self.manifest, Path(scratch))
                # Merging changes weights, and the base model here may serve other adapters.
                fresh = load_base_model(self.base.id, device="cpu", dtype=self.base.dtype_name)
                save_merged(fresh, Path(scratch), folder)
            return
        check_output_folder(folder, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        if self._tasks and self._tasks.is_file() and self._tasks.parent != folder:
            shutil.copyfile(self._tasks, folder / TASKS_FILE)
        self.manifest = save_adapter(self.base, self.adapted, self.manifest, folder)

    def close(self) -> None:
        """Take the adapter off `base` and forget it. This object cannot answer any more."""
        self.base.take_off(self.adapted)


class Conversation:
    """Turns of questions and answers; `history` holds them."""

    def __init__(self, model: LiftedModel) -> None:
        self._model = model
        self.history: list[Turn] = []

    def ask(self, question: str, **options: Any) -> Iterator[str]:
        """Stream the answer; once it has been read to its end, it is part of the history. See `LiftedModel.stream`."""
        pieces: list[str] = []
        for piece in self._model.stream(question, history=self.history, **options):
            pieces.append(piece)
            yield piece
        answer = "".join(pieces).strip()
        if options.get("with_passage"):
            answer = split_recited(answer).answer
        self.history.append(Turn(question, answer))


def _shown(context: Context | None, question: str) -> str | None:
    return context(question) if callable(context) else context


def load(
    folder: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | BaseModel | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> LiftedModel:
    """Load an adapter and its base model.

    Args:
        folder: what `lift absorb` or `LiftedModel.save` wrote.
        model: where the base model is now, if not under the name in `lift.json`; or one that is loaded, which may
            have other adapters on: each answers when it is asked.
        device, dtype: as for `lift.absorb`.

    Raises:
        AdapterError: the folder is missing, unfinished, damaged, or of another format.
        BaseModelMismatchError: the base model is not the one that the adapter was trained on.
        ModelError: the base model cannot be loaded.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    base = (
        model
        if isinstance(model, BaseModel)
        else load_base_model(
            model or manifest.base_model["id"],
            device=device,
            dtype=NF4 if (dtype, manifest.base_model["dtype"]) == ("auto", NF4) else dtype,
        )
    )
    check_base_model(base, manifest)
    return LiftedModel(base, load_adapter(base, folder), manifest, tasks=folder / TASKS_FILE)
