"""The share of prompt tokens that a server's prefix cache need not compute again, over one document's requests.

    python benchmarks/prefix.py ../shared/data/picardo.txt

Blocks of 16 tokens as in vLLM, prompts rendered with the embedded model's chat template, a cache that forgets
nothing, requests in order. Beside lift's windows: one that slides, beginning exactly `window_chars` before the segment.
"""

import argparse
import json
from pathlib import Path

import lift
from lift.splitting import split_document
from lift.synthesis import prompts

BLOCK = 16


def cached_share(requests: list[list[int]]) -> tuple[float, int]:
    seen: set[int] = set()
    cached = total = 0
    for ids in requests:
        total += len(ids)
        so_far, hit = 0, True
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            so_far = hash((so_far, *ids[start : start + BLOCK]))
            hit = hit and so_far in seen
            cached += BLOCK if hit else 0
            seen.add(so_far)
    return cached / total, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    arguments = parser.parse_args()
    document = lift.read_document(arguments.document)
    recipe = lift.load_recipe("paper")
    tokenizer = lift.load_base_model().tokenizer
    anchored = prompts.window_start
    windows = {"lift": anchored, "sliding": lambda text, start, most: max(0, start - most)}
    for name, window in windows.items():
        prompts.window_start = window
        asked = []
        for segment in split_document(document, recipe):
            request = prompts.build_request(document, segment, recipe)
            turns = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
            rendered = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            asked.append(tokenizer(rendered, add_special_tokens=False)["input_ids"])
        share, total = cached_share(asked)
        print(json.dumps({"window": name, "requests": len(asked), "prompt_tokens": total, "cached": round(share, 3)}))


if __name__ == "__main__":
    main()
