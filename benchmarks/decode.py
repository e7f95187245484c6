"""Seconds to answer: a LIFTed model without the text against the base model with the text in its context.

    python benchmarks/decode.py --context 1000 --context 4000 --context 8000 --tokens 100

Prefill and decoding of so many tokens, greedily, with the embedded model; the LIFTed one with its adapter on and merged
into the weights. Every variant is measured `--repeat` times in turn, and the medians are printed, with the ratio of the
merged model's rate to the base model's without any context (the goal is 0.98 or better).
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, StoppingCriteria

import lift
from lift.model import attach_adapter, load_base_model

TEXT = Path(__file__).parents[1] / "examples" / "picardo" / "picardo.txt"
QUESTION = "Where was José Luis Picardo born?"


class Clock(StoppingCriteria):
    """Notes when each token was there."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.times.append(time.monotonic())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def decode(network: Any, ids: list[int], tokens: int) -> tuple[float, float]:
    """Seconds to the first token, and from there to the last one."""
    clock = Clock()
    config = GenerationConfig(max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0)
    started = time.monotonic()
    with torch.inference_mode():
        network.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            generation_config=config,
            stopping_criteria=[clock],
        )
    return clock.times[0] - started, clock.times[-1] - clock.times[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", type=int, action="append", default=[], help="tokens of text in the context")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    recipe = lift.load_recipe("cpu")
    base, lifted, merged = load_base_model(), load_base_model(), load_base_model()
    adapted = attach_adapter(lifted, recipe).eval()
    # An adapter that has not learned anything costs as much as one that has.
    merged_network = attach_adapter(merged, recipe).merge_and_unload()
    bare = base.chat_format(recipe.prompt_template, "José Luis Picardo").prompt_ids(QUESTION)
    text = base.tokenizer(TEXT.read_text(encoding="utf-8") * 3, add_special_tokens=False)["input_ids"]
    variants: dict[str, tuple[Any, list[int]]] = {
        "base, no context": (base.network, bare),
        "LIFT, adapter": (adapted, bare),
        "LIFT, merged": (merged_network, bare),
    }
    for length in arguments.context:
        variants[f"text of {length} tokens in the context"] = (base.network, text[: length - len(bare)] + bare)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    decode(base.network, bare, 4)  # warms up
    for _ in range(arguments.repeat):
        for name, (network, ids) in variants.items():
            measured[name].append(decode(network, ids, arguments.tokens))
    rates = {}
    for name, times in measured.items():
        first, rest = (statistics.median(column) for column in zip(*times, strict=True))
        rates[name] = (arguments.tokens - 1) / rest
        print(
            json.dumps(
                {
                    "variant": name,
                    "first_token_seconds": round(first, 3),
                    "tokens_per_second": round(rates[name], 1),
                    "seconds": {n: round(first + (n - 1) / rates[name], 2) for n in (1, 100, 1000)},
                }
            ),
            flush=True,
        )
    print(json.dumps({"merged_to_base": round(rates["LIFT, merged"] / rates["base, no context"], 3)}))


if __name__ == "__main__":
    main()
