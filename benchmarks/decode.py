"""Seconds to answer: a LIFTed model without the text against the base model with the text in its context.

    python benchmarks/decode.py --context 1000 --context 4000 --context 7000 --tokens 1000 --plot decode.svg

Prefill and decoding of so many tokens, greedily, with the embedded model; the LIFTed one with peft's layers, with LoRA
folded into the weights for the answer (`lift ask`, `lift chat`), and merged into them for good (`lift merge`). Every
variant is measured `--repeat` times in turn, and the medians are printed, with the ratios of the last two rates to the
base model's without any context (the goal is 0.98 or better). The plot is the paper's figure b, without the time that
training takes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from outcome import plot_lines, print_table
from transformers import GenerationConfig, StoppingCriteria

import lift
from lift.attaching import attach_adapter
from lift.folding import FoldedLora
from lift.model import load_base_model

TEXT = Path(__file__).parents[1] / "examples" / "picardo" / "picardo.txt"
QUESTION = "Where was José Luis Picardo born?"


class Clock(StoppingCriteria):
    """Notes when each token was there."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.times.append(time.monotonic())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def decode(network: Any, ids: list[int], tokens: int, way: AbstractContextManager[Any]) -> list[float]:
    """Seconds until each token was there, the entering of `way` included."""
    clock = Clock()
    config = GenerationConfig(max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0)
    started = time.monotonic()
    with torch.inference_mode(), way:
        network.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            generation_config=config,
            stopping_criteria=[clock],
        )
    return [there - started for there in clock.times]


def learned(adapted: Any) -> Any:
    """`adapted` as if it had learned something: nothing that counts would be folded without."""
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    return adapted.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", type=int, action="append", default=[], help="tokens of text in the context")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    recipe = lift.load_recipe("cpu")
    base, lifted, merged = load_base_model(), load_base_model(), load_base_model()
    adapted, to_merge = learned(attach_adapter(lifted, recipe)), learned(attach_adapter(merged, recipe))
    bare = base.chat_format(recipe.prompt_template, "José Luis Picardo").prompt_ids(QUESTION)
    text = base.tokenizer(TEXT.read_text(encoding="utf-8") * 3, add_special_tokens=False)["input_ids"]
    variants: dict[str, tuple[Any, list[int], Callable[[], AbstractContextManager[Any]]]] = {
        "base, no context": (base.network, bare, nullcontext),
        "LIFT, peft's layers": (adapted, bare, nullcontext),
        "LIFT, folded": (adapted, bare, FoldedLora(adapted, None).answering),
        "LIFT, merged": (to_merge.merge_and_unload(), bare, nullcontext),
    }
    for length in arguments.context:
        name = f"text of {length} tokens in the context"
        variants[name] = (base.network, text[: length - len(bare)] + bare, nullcontext)
    measured: dict[str, list[list[float]]] = {name: [] for name in variants}
    decode(base.network, bare, 4, nullcontext())  # warms up
    for _ in range(arguments.repeat):
        for name, (network, ids, way) in variants.items():
            measured[name].append(decode(network, ids, arguments.tokens, way()))
    medians = {name: list(map(statistics.median, zip(*runs, strict=True))) for name, runs in measured.items()}
    rates = {name: (arguments.tokens - 1) / (seconds[-1] - seconds[0]) for name, seconds in medians.items()}
    rows = []
    for name, seconds in medians.items():
        row = {"variant": name, "first token, s": round(seconds[0], 3), "tokens/s": round(rates[name], 1)}
        rows.append(row | {f"{n} tokens, s": round(seconds[n - 1], 1) for n in (10, 100, 1000) if n <= len(seconds)})
    print_table(rows)
    for name in ("LIFT, folded", "LIFT, merged"):
        print(f"{name}: {rates[name] / rates['base, no context']:.3f} of the base model's rate")
    if arguments.plot:
        lines = {name: list(enumerate(seconds, start=1)) for name, seconds in medians.items()}
        plot_lines(arguments.plot, lines, "tokens answered", "seconds")


if __name__ == "__main__":
    main()
