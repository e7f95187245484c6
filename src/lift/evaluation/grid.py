"""Every method on every document of a benchmark, resumable."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from lift.document import Document
from lift.errors import BenchmarkError, LiftError
from lift.evaluation.benchmarks import Benchmark
from lift.evaluation.damage import measure_damage, measure_invention
from lift.evaluation.judge import Judge, JudgeError
from lift.evaluation.methods import Method, MethodSpec, Setting
from lift.evaluation.progress import GridProgress, TimeLeft
from lift.evaluation.questions import Question
from lift.evaluation.results import Answer, Cell, Results, Run
from lift.evaluation.speed import measure_answering
from lift.presets import load_recipe
from lift.progress import Progress
from lift.recipe import Recipe
from lift.synthesis.backends import default_generator
from lift.synthesis.prompts import PROMPT_VERSION

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["Grid"]

_WORK: Final = "work"
# Few enough for a provider's limits.
_JUDGED_AT_ONCE: Final = 8


@dataclass(frozen=True)
class _Job:
    document: Document
    questions: Sequence[Question]
    method: MethodSpec
    recipe: Recipe
    cell: Cell


class Grid:
    """Runs methods on a benchmark and keeps every answer.

    Args:
        benchmark: documents, questions, scores.
        methods: what is compared.
        base: the base model.
        recipe: of whatever is trained; a method's own knobs come on top.
        generator: who writes tasks; None takes the tasks that come with the benchmark, else the base model's writer.
        seeds: of the methods that train.
        judge: scores free answers.
        title: documents with this in their title alone, in either case.
        limit: at most so many documents.
        sample: at most so many questions a document, drawn at random, the same every time.

    Raises:
        BenchmarkError: there is no such document.
        MissingExtraError: a method needs a package that is not installed; said before anything is computed.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        methods: Sequence[MethodSpec],
        *,
        base: BaseModel,
        recipe: Recipe,
        generator: str | None = None,
        seeds: Sequence[int] = (0,),
        judge: Judge | None = None,
        title: str | None = None,
        limit: int | None = None,
        sample: int | None = None,
    ) -> None:
        self._benchmark = benchmark
        self._base = base
        self._generator = generator
        self._judge = judge
        self._errors = 0
        self._untrained: dict[str, float] = {}
        self._time_left = TimeLeft()
        self._jobs: list[_Job] = []
        for method in methods:
            method.check_installed()
        recipe = benchmark.recipe(recipe)
        chosen = (document for document in benchmark.documents() if (title or "").lower() in document.title.lower())
        for document in islice(chosen, limit):
            questions = _sampled(benchmark.questions(document), sample)
            for method in methods:
                own = load_recipe(recipe, method.knobs)
                for seed in seeds if method.trains else (0,):
                    seeded = own.replace(seed=seed)
                    self._jobs.append(_Job(document, questions, method, seeded, self._cell(document, method, seeded)))
        if not self._jobs:
            wanted = f" with {title!r} in its title" if title else ""
            raise BenchmarkError(f"{benchmark.name} has no document{wanted}")

    @property
    def cells(self) -> list[Cell]:
        """What will be computed, in order."""
        return [job.cell for job in self._jobs]

    def run(self, results: Results, on_progress: Callable[[GridProgress], None] = lambda progress: None) -> int:
        """Compute what `results` lacks.

        Returns:
            How many answers have no score; the same call tries them again.
        """
        for number, job in enumerate(self._jobs):
            begun = time.monotonic()
            report = partial(self._report, on_progress, results, number, begun)
            report(None)
            missing = self._missing(job, results)
            if missing or not results.has_run(job.cell):
                self._run_cell(job, missing, results, report)
                self._time_left.note(job.method.text, time.monotonic() - begun)
            if number + 1 == len(self._jobs) or self._jobs[number + 1].document is not job.document:
                shutil.rmtree(results.folder / _WORK / job.cell.document, ignore_errors=True)
        on_progress(self._progress(len(self._jobs), results))
        return self._errors

    def _missing(self, job: _Job, results: Results) -> list[Question]:
        """The questions to ask; those that only a judge failed on are scored now, as they were answered."""
        missing, unscored = [], []
        for question in job.questions:
            known = results.unscored(job.cell, question.id)
            if known:
                unscored.append((question, known))
            elif question.id not in results.answered(job.cell):
                missing.append(question)
        self._score(job, unscored, results)
        return missing

    def _run_cell(
        self, job: _Job, missing: Sequence[Question], results: Results, report: Callable[[Progress | None], None]
    ) -> None:
        # Methods that differ in nothing but what is shown with a question share what was trained.
        trained = job.recipe.to_dict() | {"retrieved_segments": None}
        folder = results.folder / _WORK / job.cell.document / self._training_digest(job.method.training, trained)
        method: Method | None = None
        try:
            setting = Setting(
                self._base,
                job.recipe,
                self._generator_for(job),
                folder,
                self._benchmark.max_new_tokens,
                job.method.helper,
                job.method.adapter_scale,
                report,
            )
            method = job.method.open(setting)
            started = time.monotonic()
            method.prepare(job.document)
            prepared = time.monotonic()
            report(None)
            answers = method.answer(job.document, [question.text for question in missing])
            answered = time.monotonic()
            self._score(job, list(zip(missing, answers, strict=True)), results)
            if not results.has_run(job.cell):
                seconds = method.costs.pop("prepare_seconds", prepared - started), answered - prepared
                results.add_run(
                    Run(
                        job.cell,
                        job.document.title,
                        method.costs,
                        round(seconds[0], 2),
                        round(seconds[1], 2),
                        damage=self._damage(job, method),
                        speed=measure_answering(method, job.document, job.questions[0].text),
                        document_tokens=len(self._base.tokenizer(job.document.text, verbose=False)["input_ids"]),
                    )
                )
        except (LiftError, RuntimeError, MemoryError) as error:  # this cell fails; the others need not
            for question in missing:
                if question.id not in results.answered(job.cell):
                    self._keep(self._answer(job, question, "", None, f"{type(error).__name__}: {error}"), results)
        finally:
            if method:
                method.close()

    def _damage(self, job: _Job, method: Method) -> dict[str, float]:
        if not self._benchmark.measures_damage:
            return {}
        if job.method.trains:
            forgotten = measure_damage(method)
        else:  # the base model answers for all of these
            forgotten = self._untrained = self._untrained or measure_damage(method)
        return forgotten | measure_invention(method, job.document, self._benchmark.unanswerable(job.document))

    def _generator_for(self, job: _Job) -> str:
        """Who writes the job's tasks: the one named, else the benchmark's own recording, else the model's writer."""
        if self._generator or job.method.training != "lift":
            return self._generator or ""
        recording = self._benchmark.recording(job.document)
        return f"recorded:{recording}" if recording else default_generator(self._base.id)

    def _score(self, job: _Job, answers: Sequence[tuple[Question, str]], results: Results) -> None:
        """Score answers and keep them; a judge gets several at once, since it is a server."""
        with ThreadPoolExecutor(_JUDGED_AT_ONCE) as pool:
            for answer in pool.map(lambda pair: self._scored(job, *pair), answers):
                self._keep(answer, results)

    def _keep(self, answer: Answer, results: Results) -> None:
        self._errors += answer.error is not None
        results.add_answer(answer)

    def _scored(self, job: _Job, question: Question, answer: str) -> Answer:
        try:
            if question.metric == "judge":
                if self._judge is None:
                    raise JudgeError("there is no judge; name one with --judge")
                return self._answer(job, question, answer, self._judge.score(question, answer))
            return self._answer(job, question, answer, self._benchmark.score(question, answer))
        except JudgeError as error:
            return self._answer(job, question, answer, None, f"judge: {error}")

    def _answer(
        self, job: _Job, question: Question, answer: str, score: float | None, error: str | None = None
    ) -> Answer:
        return Answer(
            job.cell,
            job.document.title,
            question.id,
            question.text,
            question.answer,
            question.kind,
            question.metric,
            answer,
            score,
            error,
            self._benchmark.place(job.document, question),
        )

    def _cell(self, document: Document, method: MethodSpec, recipe: Recipe) -> Cell:
        knobs = {name: value for name, value in recipe.to_dict().items() if name != "seed"}
        digest = (
            self._training_digest(knobs)
            if method.trains
            else _digest([recipe.prompt_template, recipe.retrieved_segments])
        )
        name = self._benchmark.name
        return Cell(name, document.sha256[:16], method.text, self._base.id, digest, recipe.seed)

    def _training_digest(self, *what: object) -> str:
        """Of what makes a difference to training."""
        return _digest([*what, self._generator, PROMPT_VERSION])

    def _report(
        self,
        on_progress: Callable[[GridProgress], None],
        results: Results,
        number: int,
        begun: float,
        training: Progress | None,
    ) -> None:
        on_progress(self._progress(number, results, time.monotonic() - begun, training))

    def _progress(
        self, done: int, results: Results, elapsed: float = 0.0, training: Progress | None = None
    ) -> GridProgress:
        """How far it is, so many seconds into cell number `done`."""
        job = self._jobs[done] if done < len(self._jobs) else None
        left = [other.method.text for other in self._jobs[done:] if other is job or not results.has_run(other.cell)]
        seconds_left = self._time_left.seconds(left, elapsed, training)
        doing = f"{job.method.text}, {job.document.title}, seed {job.cell.seed}" if job else ""
        return GridProgress(done, len(self._jobs), doing, self._errors, seconds_left, training)


def _digest(what: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def _sampled(questions: Sequence[Question], most: int | None) -> Sequence[Question]:
    if most is None or most >= len(questions):
        return questions
    chosen = sorted(random.Random(0).sample(range(len(questions)), most))
    return [questions[number] for number in chosen]
