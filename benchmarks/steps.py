"""Speed and memory of optimizer steps alone, on the demo's tasks with the embedded model.

python benchmarks/steps.py --steps 16 --set rank=64 --set pack_tokens=1024
"""

import argparse
import json
import random
import resource
import time

from example import encode, recorded_pairs

from lift.attaching import attach_adapter
from lift.model import load_base_model
from lift.presets import load_recipe
from lift.training.trainer import Trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    recipe = load_recipe("cpu", arguments.settings)
    base = load_base_model()
    tasks = encode([pair for pairs in recorded_pairs() for pair in pairs], base, recipe)
    rng = random.Random(0)
    with Trainer(attach_adapter(base, recipe), recipe) as trainer:
        trainer.step(rng.sample(tasks, recipe.tasks_per_step))  # the first one warms up
        tokens, started = trainer.tokens, time.monotonic()
        for _ in range(arguments.steps):
            trainer.step(rng.sample(tasks, recipe.tasks_per_step))
        trainer.take_losses()
        seconds = time.monotonic() - started
    rate = (trainer.tokens - tokens) / seconds
    print(
        json.dumps(
            {
                "tokens_per_second": round(rate, 1),
                "seconds_a_pass": round(sum(map(len, tasks)) / rate, 1),
                "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2),
                "rank": recipe.rank,
                "tasks_per_step": recipe.tasks_per_step,
                "pack_tokens": recipe.pack_tokens,
            }
        )
    )


if __name__ == "__main__":
    main()
