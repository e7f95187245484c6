"""lift's trainer against the usual way, on the demo's tasks: seconds a pass, tokens/s, memory, accuracy.

    python benchmarks/training.py --rank 32 --tasks-per-step 4 --tasks-per-step 16
    python benchmarks/training.py --rank 32 --accuracy --tasks-per-step 16 --plot training.svg

The usual way is `transformers.Trainer`: padded batches of 4, the same dtype, the same LoRA on all layers, the same
tasks. Every variant runs in a process of its own, one after the other, makes `--passes` over a sample of `--batches`
batches after a warm-up, and seconds a pass over all tasks are reckoned from the rate; with --accuracy it makes them
over all tasks and answers the 31 evaluation questions. `--share` adds variants of lift that train the top share of the
layers only. The floor is the time of the matrix products alone, as many and as large as one pass of lift needs.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from example import count_right, encode, lifted_model, recorded_pairs
from outcome import plot_bars, print_table

USUAL_BATCH = 4


def prepare(arguments: argparse.Namespace) -> Any:
    """The recipe, the base model and the encoded tasks."""
    from lift.model import load_base_model
    from lift.presets import load_recipe

    knobs = {"rank": arguments.rank, "alpha": 2 * arguments.rank, "trained_share": 1.0}
    recipe = load_recipe("cpu", [*(f"{k}={v}" for k, v in knobs.items()), *arguments.settings])
    base = load_base_model()
    return recipe, base, encode([pair for pairs in recorded_pairs() for pair in pairs], base, recipe)


def usual(arguments: argparse.Namespace) -> dict[str, Any]:
    """`transformers.Trainer` as its documentation shows it."""
    import torch
    from transformers import Trainer, TrainingArguments

    from lift.attaching import attach_adapter

    recipe, base, tasks = prepare(arguments)
    adapted = attach_adapter(base, recipe)

    def collate(batch: list[Any]) -> dict[str, torch.Tensor]:
        longest = max(map(len, batch))
        pad = base.tokenizer.pad_token_id
        return {
            "input_ids": torch.tensor([[*t.ids, *[pad] * (longest - len(t))] for t in batch]),
            "attention_mask": torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in batch]),
            "labels": torch.tensor(
                [[-100] * len(t.prompt_ids) + list(t.answer_ids) + [-100] * (longest - len(t)) for t in batch]
            ),
        }

    sample = sample_of(tasks, arguments)

    def train(data: list[Any], epochs: int, scratch: str) -> float:
        settings = TrainingArguments(
            scratch,
            per_device_train_batch_size=USUAL_BATCH,
            num_train_epochs=epochs,
            learning_rate=arguments.usual_lr,
            lr_scheduler_type="linear",
            warmup_steps=10,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            logging_strategy="no",
            seed=arguments.seed,
        )
        trainer = Trainer(adapted, settings, data_collator=collate, train_dataset=data)
        started = time.monotonic()
        trainer.train()
        return time.monotonic() - started

    with tempfile.TemporaryDirectory() as scratch:
        if not arguments.accuracy:
            train(sample[:USUAL_BATCH], 1, scratch)  # the first one warms up
        seconds = train(sample, arguments.passes, scratch)
    rate = sum(map(len, sample)) * arguments.passes / seconds
    adapted.eval()
    return report(tasks, rate, seconds) | right(base, adapted, recipe, arguments)


def ours(arguments: argparse.Namespace) -> dict[str, Any]:
    from lift.attaching import attach_adapter
    from lift.training.schedule import Schedule
    from lift.training.trainer import Trainer

    recipe, base, tasks = prepare(arguments)
    sample = sample_of(tasks, arguments)
    schedule = Schedule(
        epochs=arguments.passes,
        tasks_per_step=recipe.tasks_per_step,
        seed=arguments.seed,
        decay_share=recipe.decay_share,
    )
    schedule.arrive(range(len(sample)))
    schedule.close()
    adapted = attach_adapter(base, recipe.replace(seed=arguments.seed))
    with Trainer(adapted, recipe) as trainer:
        if not arguments.accuracy:
            others = [task for task in tasks if task not in sample]
            trainer.step(others[: recipe.tasks_per_step])  # the first one warms up
            trainer.take_losses()
        tokens, started = trainer.tokens, time.monotonic()
        while step := schedule.next_step():
            trainer.step([sample[n] for n in step], lr_scale=schedule.lr_scale)
        trainer.take_losses()
        seconds = time.monotonic() - started
    rate = (trainer.tokens - tokens) / seconds
    return report(tasks, rate, seconds) | right(base, adapted, recipe, arguments)


def floor(arguments: argparse.Namespace) -> dict[str, Any]:
    """The matrix products of one pass alone: forward, and backward through activations, of every linear layer.

    Over the tokens that packs hold (the shared prefix once), and the output layer at label positions only.
    """
    import torch

    from lift.training.packing import pack_tasks

    recipe, base, tasks = prepare(arguments)
    packs = pack_tasks(tasks, recipe.pack_tokens)
    rows = round(sum(pack.n_tokens for pack in packs) / len(packs))
    labels = round(sum(len(task.answer_ids) for task in tasks) / len(packs))
    shapes = [
        (rows, module.in_features, module.out_features)
        for name, module in base.network.named_modules()
        if isinstance(module, torch.nn.Linear) and "lm_head" not in name
    ]
    head = base.network.get_output_embeddings()
    shapes.append((labels, head.in_features, head.out_features))
    weights = {(i, o): torch.randn(o, i, dtype=base.dtype) for _, i, o in shapes}
    seconds = 0.0
    for repeat in range(4):
        started = time.monotonic()
        for n, i, o in shapes:
            x, w = torch.ones(n, i, dtype=base.dtype), weights[i, o]
            (x @ w.T) @ w
        if repeat:  # the first one warms up
            seconds += (time.monotonic() - started) / 3
    rate = sum(map(len, tasks)) / (seconds * len(packs))
    return report(tasks, rate, seconds * len(packs))


def sample_of(tasks: list[Any], arguments: argparse.Namespace) -> list[Any]:
    """What every variant trains on."""
    return tasks if arguments.accuracy else random.Random(0).sample(tasks, USUAL_BATCH * arguments.batches)


def right(base: Any, adapted: Any, recipe: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Right answers, where they were asked for."""
    return count_right(lifted_model(base, adapted, recipe)) if arguments.accuracy else {}


def report(tasks: list[Any], rate: float, seconds: float) -> dict[str, Any]:
    return {
        "seconds_a_pass": round(sum(map(len, tasks)) / rate, 1),
        "tokens_per_second": round(rate, 1),
        "measured_seconds": round(seconds, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--batches", type=int, default=32, help=f"of {USUAL_BATCH} tasks, in the sample")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--tasks-per-step", type=int, action="append", default=[])
    parser.add_argument("--share", type=float, action="append", default=[], help="more variants: trained_share")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--usual-lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--skip-usual", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    parser.add_argument("--child", choices=["usual", "ours", "floor"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps({"usual": usual, "ours": ours, "floor": floor}[arguments.child](arguments)))
        return
    variants = [] if arguments.skip_usual else [("usual", "usual", [f"tasks_per_step={USUAL_BATCH}"])]
    for size in arguments.tasks_per_step or [16]:
        variants.append((f"lift, {size} tasks a step", "ours", [f"tasks_per_step={size}"]))
        variants += [
            (f"lift, {size} tasks a step, top {share:g} of the layers", "ours",
             [f"tasks_per_step={size}", f"trained_share={share}"])
            for share in arguments.share
        ]  # fmt: skip
    if not arguments.accuracy:
        variants.append(("floor: matrix products", "floor", []))
    shared = ["--rank", arguments.rank, "--batches", arguments.batches, "--passes", arguments.passes]
    shared += ["--usual-lr", arguments.usual_lr, "--seed", arguments.seed, *["--accuracy"] * arguments.accuracy]
    rows = []
    for name, child, settings in variants:
        command = [sys.executable, __file__, "--child", child, *map(str, shared)]
        for setting in [*settings, *arguments.settings]:
            command += ["--set", setting]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout.splitlines()[-1])  # transformers' Trainer prints, too
        rows.append({"variant": name, "rank": arguments.rank, **result})
        print(json.dumps(rows[-1]), flush=True)
    print_table(rows)
    if arguments.plot:
        bars = {row["variant"]: row["seconds_a_pass"] for row in rows}
        plot_bars(arguments.plot, bars, f"seconds a pass, rank {arguments.rank}")


if __name__ == "__main__":
    main()
