"""Every benchmark reads its real form, and bad data are refused with the line."""

import json
from pathlib import Path
from typing import Any

import pytest

from lift.errors import BenchmarkError, LiftWarning
from lift.evaluation.benchmarks import BENCHMARKS, open_benchmark
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.benchmarks.longbench import LongBench
from lift.evaluation.benchmarks.loogle import LooGLE
from lift.evaluation.benchmarks.own import OwnBenchmark
from lift.evaluation.benchmarks.picardo import Picardo
from lift.evaluation.benchmarks.squad import SQuAD
from lift.recipe import Recipe
from lift.synthesis.backends.recorded import RecordedBackend


def write_lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_picardo_comes_with_lift() -> None:
    benchmark = Picardo()
    (document,) = benchmark.documents()
    questions = benchmark.questions(document)
    assert len(questions) == 31
    assert len(benchmark.unanswerable(document)) == 20
    assert len(RecordedBackend.read(benchmark.recording(document)).segments(document, Recipe())) == 106
    assert all(benchmark.score(question, question.answer) == 1 for question in questions)
    assert all(benchmark.score(question, "I do not know.") == 0 for question in questions)


class TestOwn:
    def test_documents_and_questions(self, tmp_path: Path) -> None:
        (tmp_path / "report.md").write_text("# Report\n\nAnna built the mill in 1912.", encoding="utf-8")
        path = write_lines(
            tmp_path / "mine.jsonl",
            {
                "document": "report.md",
                "questions": [
                    {"question": "Who?", "answer": "Anna built it.", "keywords": [["anna"]]},
                    {"question": "When?", "answer": "1912", "metric": "contains", "kind": "dates"},
                    {"question": "What?", "answer": "the mill"},
                ],
                "unanswerable": ["Why?"],
            },
            {"text": "Another text.", "title": "Second", "questions": [{"question": "?", "answer": "x"}]},
        )
        benchmark = OwnBenchmark(path)
        first, second = benchmark.documents()
        assert (benchmark.name, first.title, second.title) == ("mine", "Report", "Second")
        assert [question.metric for question in benchmark.questions(first)] == ["keywords", "contains", "f1"]
        assert benchmark.unanswerable(first) == ("Why?",)
        assert benchmark.recording(first) is None
        assert [benchmark.score(q, "Anna, in 1912.") for q in benchmark.questions(first)][:2] == [1, 1]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", r":1: not JSON"),
            ("[1]", r":1: not a JSON object"),
            ('{"text": "a"}', r":1: KeyError\('questions'\)"),
            ('{"text": "a", "questions": [{"question": "q"}]}', r":1: KeyError\('answer'\)"),
            ('{"text": "a", "questions": [{"question": "q", "answer": "b", "metric": "m"}]}', "no metric 'm'"),
            ('{"text": "a", "questions": [{"question": "q", "answer": "b", "metric": "keywords"}]}', "needs keywords"),
            ("", "is empty"),
        ],
    )
    def test_a_broken_line(self, tmp_path: Path, line: str, message: str) -> None:
        path = tmp_path / "mine.jsonl"
        path.write_text(line, encoding="utf-8")
        with pytest.raises(BenchmarkError, match=message):
            OwnBenchmark(path)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match="cannot read"):
            OwnBenchmark(tmp_path / "none.jsonl")


class TestLooGLE:
    PAIRS = (
        {"Q": "Who?", "A": "Anna.", "type": "comprehension_and_reasoning"},
        {"Q": "Order:", "A": "2,1,3", "type": "timeline_reorder"},
    )

    def folder(self, path: Path, pairs: str) -> Path:
        write_lines(path / "longdep_qa.jsonl", {"input": "A text.", "title": "T", "qa_pairs": pairs, "output": None})
        return path

    def test_long_questions_and_their_kinds(self, tmp_path: Path) -> None:
        benchmark = LooGLE("long", self.folder(tmp_path, repr(list(self.PAIRS))), judged=False)
        (document,) = benchmark.documents()
        who, order = benchmark.questions(document)
        assert (who.metric, order.metric, order.kind) == ("f1", "order", "timeline_reorder")
        assert benchmark.score(order, "First 2, then 1, then 3.") == 1
        assert benchmark.score(order, "2,3,1") == 0.5

    def test_with_a_judge(self, tmp_path: Path) -> None:
        benchmark = LooGLE("long", self.folder(tmp_path, repr(list(self.PAIRS))), judged=True)
        (document,) = benchmark.documents()
        assert [question.metric for question in benchmark.questions(document)] == ["judge", "order"]
        with pytest.raises(ValueError, match="for a judge"):
            benchmark.score(benchmark.questions(document)[0], "Anna")

    def test_a_literal_is_never_evaluated(self, tmp_path: Path) -> None:
        trap = tmp_path / "trap"
        benchmark = LooGLE("long", self.folder(tmp_path, f"[open({str(trap)!r}, 'w')]"), judged=False)
        with pytest.warns(LiftWarning, match="T is left out"):
            assert not list(benchmark.documents())
        assert not trap.exists()

    def test_broken_lines_are_counted(self, tmp_path: Path) -> None:
        path = self.folder(tmp_path, repr(list(self.PAIRS))) / "longdep_qa.jsonl"
        path.write_text("{\n" + path.read_text(encoding="utf-8") + "[]\n", encoding="utf-8")
        with pytest.warns(LiftWarning, match="2 broken lines are left out, the first is line 1"):
            assert len(list(LooGLE("long", tmp_path, judged=False).documents())) == 1

    def test_summaries_are_scored_by_rouge(self, tmp_path: Path) -> None:
        write_lines(
            tmp_path / "longdep_summarization.jsonl",
            {"input": "A text.", "title": "T", "output": "the mill was built", "qa_pairs": "none"},
        )
        benchmark = LooGLE("summary", tmp_path, judged=True)
        (document,) = benchmark.documents()
        (question,) = benchmark.questions(document)
        assert benchmark.score(question, "the mill was built") == 1
        assert 0 < benchmark.score(question, "the mill stands") < 1

    def test_missing_data_say_how_to_get_them(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match=r"Download longdep_qa\.jsonl from https://huggingface\.co"):
            list(LooGLE("long", tmp_path, judged=False).documents())


def test_squad_of_both_versions(tmp_path: Path) -> None:
    paragraph = {
        "context": "Anna built the mill.",
        "qas": [
            {"id": "1", "question": "Who?", "answers": [{"text": "Anna"}, {"text": "the builder"}]},
            {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
        ],
    }
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"data": [{"title": "The_mill", "paragraphs": [paragraph]}]}), encoding="utf-8")
    benchmark = SQuAD(path)
    (document,) = benchmark.documents()
    (question,) = benchmark.questions(document)
    assert document.title == "The mill"
    assert benchmark.score(question, "The builder") == 1
    assert benchmark.unanswerable(document) == ["Why?"]


def test_longbench_gathers_the_questions_about_one_text(tmp_path: Path) -> None:
    rows = [
        {"_id": f"{number}", "context": "A text." if number < 2 else "Another.", "input": "Who?", "answers": ["Anna"]}
        for number in range(3)
    ]
    write_lines(tmp_path / "musique.jsonl", *rows)
    benchmark = LongBench("musique", tmp_path)
    assert [len(benchmark.questions(document)) for document in benchmark.documents()] == [2, 1]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_opens(name: str, tmp_path: Path, tokenizer: Any) -> None:
    if name == "squad":
        with pytest.raises(BenchmarkError, match="Download"):
            open_benchmark(name, tokenizer=tokenizer)
        return
    benchmark = open_benchmark(name, tokenizer=tokenizer, lengths=[500], depths=[50])
    assert isinstance(benchmark, Benchmark)
    assert benchmark.name == name
    if name.startswith(("picardo", "needle")):  # what needs no download
        assert all(benchmark.questions(document) for document in benchmark.documents())


def test_no_such_benchmark(tokenizer: Any) -> None:
    with pytest.raises(BenchmarkError, match="no benchmark 'pikardo'; give a JSONL file"):
        open_benchmark("pikardo", tokenizer=tokenizer)
