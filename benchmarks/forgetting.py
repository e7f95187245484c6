"""Does it matter when tasks arrive? Accuracy by thirds of the document, for generators of several speeds.

    python benchmarks/forgetting.py --seeds 3

Tasks arrive in reading order, on a clock that only training moves: a generator of ratio 4 takes four times as long as
training does, and where the trainer waits for it, the clock jumps. So the schedule deals the very steps that it would
deal beside such a generator, and nobody waits. "plain" has all tasks from the start. The last task of every segment is
held out; the answers to these questions are scored by token F1 and new words (see recipe.py), those to the 31
evaluation questions by keywords. With --eager training never waits of its own accord.
"""

import argparse
import json
import time
from statistics import fmean

from example import count_right, encode, lifted_model, recorded_pairs
from recipe import new_words

from lift.attaching import attach_adapter
from lift.model import BaseModel, load_base_model
from lift.overlap import token_f1
from lift.presets import load_recipe
from lift.recipe import Recipe
from lift.training.encoding import EncodedTask
from lift.training.patience import may_wait
from lift.training.schedule import Schedule
from lift.training.trainer import Trainer

RATIOS = {"plain": 0.0, "1:4": 0.25, "1:1": 1.0, "4:1": 4.0}


def train(trainer: Trainer, tasks: list[EncodedTask], recipe: Recipe, ratio: float, eager: bool) -> None:
    """Train on `tasks`, task n arriving when n / N of the generator's time is over; one visit is one tick."""
    schedule = Schedule(
        epochs=recipe.epochs,
        tasks_per_step=recipe.tasks_per_step,
        seed=recipe.seed,
        decay_share=recipe.decay_share,
        kept_visits=recipe.kept_visits,
    )
    generation = ratio * len(tasks) * recipe.epochs
    arrives = [(number + 1) / len(tasks) * generation for number in range(len(tasks))]
    clock, arrived = 0.0, 0
    while True:
        while arrived < len(tasks) and arrives[arrived] <= clock:
            schedule.arrive([arrived])
            arrived += 1
        if arrived == len(tasks):
            schedule.close()
        begun = schedule.visits > 0 and arrived < len(tasks)
        waits = begun and may_wait(generation - clock, schedule.visits_before_the_last(len(tasks)))
        if step := [] if waits and not eager else schedule.next_step():
            trainer.step([tasks[number] for number in step], lr_scale=schedule.lr_scale)
            clock += len(step)
        elif arrived == len(tasks):
            return
        else:
            clock = arrives[arrived]


def run(base: BaseModel, recipe: Recipe, ratio: float, eager: bool) -> dict[str, object]:
    pairs = recorded_pairs()
    held_out = [about[-1] for about in pairs]
    tasks = encode([pair for about in pairs for pair in about[:-1]], base, recipe)
    adapted = attach_adapter(base, recipe)
    started = time.monotonic()
    with Trainer(adapted, recipe) as trainer:
        train(trainer, tasks, recipe, ratio, eager)
        trainer.take_losses()
    seconds = time.monotonic() - started
    lifted = lifted_model(base, adapted, recipe)
    answers = lifted.ask_many([pair["question"] for pair in held_out], max_new_tokens=64)
    scores = [token_f1(answer, pair["answer"]) for answer, pair in zip(answers, held_out, strict=True)]
    new = [new_words(pair["question"], answer, pair["answer"]) for answer, pair in zip(answers, held_out, strict=True)]
    evaluation = count_right(lifted)
    lifted.close()
    third = len(scores) / 3
    thirds = [scores[round(n * third) : round((n + 1) * third)] for n in range(3)]
    return {
        "f1": round(fmean(scores), 4),
        "thirds": [round(fmean(part), 4) for part in thirds],
        "n": len(scores),
        "new_words": round(fmean(share for share in new if share is not None), 4),
        **evaluation,
        "training_seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--eager", action="store_true", help="never wait for a slow generator")
    parser.add_argument("--ratio", choices=RATIOS, action="append", help="generation : training; default: all")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    base = load_base_model()
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for name in arguments.ratio or RATIOS:
            recipe = load_recipe("cpu", arguments.settings).replace(seed=seed)
            print(
                json.dumps({"ratio": name, "seed": seed, **run(base, recipe, RATIOS[name], arguments.eager)}),
                flush=True,
            )


if __name__ == "__main__":
    main()
