"""`transformers.Trainer` on the tasks of a live generator."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainerCallback, TrainingArguments

import lift
from lift.document import Document
from lift.errors import GeneratorUnavailableError
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

RECIPE: dict[str, Any] = {"tasks_per_segment": 5, "epochs": 3}


@pytest.fixture
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="float32")


class Watch(TrainerCallback):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def arguments(folder: Path) -> TrainingArguments:
    return TrainingArguments(
        str(folder),
        per_device_train_batch_size=5,
        max_steps=1_000_000,
        learning_rate=0.02,
        lr_scheduler_type="constant",
        logging_steps=1,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def test_transformers_trainer_learns_and_ends_with_the_tasks(
    base: lift.BaseModel, short: Document, tmp_path: Path
) -> None:
    adapted = get_peft_model(base.network, LoraConfig(r=4, target_modules="all-linear"))
    watch = Watch()
    with (
        # The last answer comes when the first step was made: the dataset does not wait for all tasks.
        ReplayServer(RECORDED, may_answer=lambda number: number < 5 or bool(watch.losses)) as server,
        lift.task_dataset(short, base, tmp_path / "t.jsonl", generator=server.url, recipe=RECIPE) as dataset,
    ):
        trainer = Trainer(
            adapted,
            arguments(tmp_path / "out"),
            train_dataset=dataset,
            data_collator=dataset.collate,
            callbacks=[watch, dataset.stop],
        )
        trainer.train()
    assert trainer.state.global_step == 3 * 25 // 5
    assert sum(watch.losses[-3:]) < 0.9 * sum(watch.losses[:3])
    assert '"end"' in (tmp_path / "t.jsonl").read_text(encoding="utf-8")


def test_every_task_comes_once_a_pass_with_labels_on_the_answer(
    base: lift.BaseModel, short: Document, tmp_path: Path
) -> None:
    generator = f"recorded:{RECORDED}"
    with lift.task_dataset(short, base, tmp_path / "t.jsonl", generator=generator, recipe=RECIPE) as dataset:
        examples = list(dataset)
    passes = [sorted(str(example) for example in examples[start : start + 25]) for start in (0, 25, 50)]
    assert len(examples) == 75
    assert passes[0] == passes[1] == passes[2]
    assert [str(e) for e in examples[:25]] != [str(e) for e in examples[25:50]]
    for example in examples[:25]:
        answer = [label for label in example["labels"] if label != -100]
        assert example["input_ids"][-len(answer) :] == answer
        assert len(answer) < len(example["input_ids"])
    batch = dataset.collate(examples[:4])
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    assert batch["attention_mask"].sum().item() == sum(len(e["input_ids"]) for e in examples[:4])
    assert torch.all(batch["labels"][batch["attention_mask"] == 0] == -100)


def test_what_the_generator_raises_reaches_the_loop(base: lift.BaseModel, short: Document, tmp_path: Path) -> None:
    with (
        lift.task_dataset(short, base, tmp_path / "t.jsonl", generator="http://127.0.0.1:9/v1") as dataset,
        pytest.raises(GeneratorUnavailableError, match="Check that the server runs"),
    ):
        next(iter(dataset))
