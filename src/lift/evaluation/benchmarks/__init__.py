"""Benchmarks: each one is a small class with documents, questions and scores.

A new benchmark is one module here with a subclass of `Benchmark`, a line in `open_benchmark`, and one test file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.base import Benchmark

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["BENCHMARKS", "Benchmark", "open_benchmark"]

BENCHMARKS: Final = (
    "picardo", "loogle-short", "loogle-long", "loogle-summary", "needle", "needle-alone", "squad",
    "longbench-narrativeqa", "longbench-musique", "longbench-qmsum", "longbench-gov_report",
    "longbench-passage_retrieval_en",
)  # fmt: skip
# Texts with recorded tasks that make up the haystack, in this order.
_HAY: Final = ("picardo", "abe", "hubs", "vb")


def open_benchmark(
    name: str,
    data: Path | None = None,
    *,
    tokenizer: PreTrainedTokenizerBase,
    judged: bool = False,
    lengths: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
) -> Benchmark:
    """The benchmark called `name`, or the user's own in the JSONL file `name`.

    Args:
        data: where its files are; what can be downloaded may be left out.
        tokenizer: the base model's, which counts a haystack's tokens.
        judged: whether there is a judge for free answers.
        lengths, depths: of needles in haystacks: tokens, per cent.

    Raises:
        BenchmarkError: there is no such benchmark, or its data are missing; the message says how to get them.
    """
    family, _, part = name.partition("-")
    if name.endswith(".jsonl"):
        from lift.evaluation.benchmarks.own import OwnBenchmark

        return OwnBenchmark(Path(name))
    if name not in BENCHMARKS:
        raise BenchmarkError(f"no benchmark {name!r}; give a JSONL file of your own, or {', '.join(BENCHMARKS)}")
    if family == "picardo":
        from lift.evaluation.benchmarks.picardo import Picardo

        return Picardo(data)
    if family == "loogle":
        from lift.evaluation.benchmarks.loogle import LooGLE

        return LooGLE(part, data, judged=judged)  # type: ignore[arg-type]  # one of BENCHMARKS
    if family == "squad":
        from lift.evaluation.benchmarks.squad import SQuAD

        return SQuAD(data)
    if family == "longbench":
        from lift.evaluation.benchmarks.longbench import LongBench

        return LongBench(part, data)
    from lift.evaluation.benchmarks.needle import DEPTHS, LENGTHS, Haystack, NeedleInAHaystack

    return NeedleInAHaystack(
        Haystack.read(_hay(data)),
        tokenizer,
        lengths=lengths or LENGTHS,
        depths=depths or DEPTHS,
        haystack_tasks=not part,
    )


def _hay(data: Path | None) -> list[tuple[Path, Path]]:
    """The texts in `data` that have recorded tasks; without `data`, the bundled one."""
    if data is None:
        from lift.bundled import example_folder

        folder = example_folder()
        return [(folder / "picardo.txt", folder / "tasks.jsonl")]
    found = [(path, data / f"{stem}.tasks.jsonl") for stem in _HAY for path in data.rglob(f"{stem}.txt")]
    if not found:
        raise BenchmarkError(f"{data} holds no text with recorded tasks (NAME.txt and NAME.tasks.jsonl)")
    return found
