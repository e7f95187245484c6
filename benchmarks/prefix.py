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
from lift.synthesis.estimate import PrefixCache

BLOCK = 16


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
        cache, requests, total, cached = PrefixCache(BLOCK), 0, 0, 0
        for segment in split_document(document, recipe):
            request = prompts.build_request(document, segment, recipe)
            turns = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
            rendered = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            ids = tokenizer(rendered, add_special_tokens=False)["input_ids"]
            requests, total, cached = requests + 1, total + len(ids), cached + cache.cached(ids)
        share = round(cached / total, 3)
        print(json.dumps({"window": name, "requests": requests, "prompt_tokens": total, "cached": share}))


if __name__ == "__main__":
    main()
