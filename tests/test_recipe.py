import dataclasses
from pathlib import Path
from typing import Any

import pytest

from lift.errors import RecipeError
from lift.presets import PRESETS, load_recipe, recipe_file
from lift.recipe import Recipe


def test_the_papers_setting() -> None:
    paper = PRESETS["paper"]
    assert (paper.rank, paper.alpha, paper.lr, paper.epochs, paper.tasks_per_step) == (128, 256, 5e-5, 5, 4)
    assert (paper.tasks_per_segment, paper.segment, paper.window_chars) == (10, "sentence", 2048)
    assert PRESETS["paper-5"] == paper.replace(tasks_per_segment=5)
    fast = PRESETS["fast"]
    assert (fast.lr, fast.epochs, fast.tasks_per_segment, fast.activation_checkpointing) == (3e-4, 1, 1, True)


def test_every_knob_is_explained() -> None:
    explanations = Recipe.explanations()
    for field in dataclasses.fields(Recipe):
        assert explanations[field.name].endswith("."), field.name


@pytest.mark.parametrize("recipe", [*PRESETS.values(), Recipe(target_modules=("q_proj", "v_proj"), lr=3e-5)])
def test_a_recipe_file_is_read_back(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(recipe_file(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


def test_a_recipe_file_explains_itself() -> None:
    lines = recipe_file(PRESETS["cpu"]).splitlines()
    assert lines[lines.index("rank: 64") - 1] == "# LoRA rank. The paper: 128."
    assert lines[lines.index("seed: 0") - 1] == "# Seeds the adapter and the order of the tasks."
    template = lines.index("prompt_template: |-")
    assert lines[template + 2] == "  Question: {question}"


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().rank = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "knobs"),
    [
        (["epochs=3"], {"epochs": 3}),
        (["lr=1e-3", "segment=paragraph"], {"lr": 1e-3, "segment": "paragraph"}),
        (["segment=64"], {"segment": 64}),
        (["target_modules=[q_proj, v_proj]"], {"target_modules": ("q_proj", "v_proj")}),
        (["prompt_template=Q: {question}"], {"prompt_template": "Q: {question}"}),
    ],
)
def test_settings_on_top_of_a_preset(settings: list[str], knobs: dict[str, Any]) -> None:
    recipe = load_recipe("cpu", settings)
    assert recipe == load_recipe(recipe.to_dict())
    for name, value in knobs.items():
        assert getattr(recipe, name) == value
    assert recipe.rank == PRESETS["cpu"].rank


def test_a_file_with_and_without_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("preset: cpu\nepochs: 9\n")
    assert load_recipe(path) == PRESETS["cpu"].replace(epochs=9)
    path.write_text("epochs: 9\n")
    assert load_recipe(str(path)) == Recipe(epochs=9)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"epoch": 3}, "unknown knob epoch; did you mean epochs"),
        ({"colour": 3}, "unknown knob colour; `lift recipe` explains"),
        ({"epochs": 0}, "epochs: .*greater than or equal to 1"),
        ({"epochs": "many"}, "epochs: "),
        ({"lr": 0}, "lr: "),
        ({"segment": "chapter"}, "segment"),
        ({"splitter": "magic"}, "splitter"),
        ({"loss_norm": "none"}, "loss_norm"),
        ({"prompt_template": "no place"}, r"\{question\} is missing"),
        ({"prompt_template": "{question} {author}"}, "only {title} and {question}"),
        ({"segment_min_chars": 900}, "segment_min_chars is larger"),
    ],
)
def test_wrong_knobs_are_named(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("paper", knobs)


def test_a_short_document_gets_smaller_steps() -> None:
    recipe = Recipe(epochs=4, tasks_per_step=16, min_steps=100)
    sizes = {1: 1, 37: 1, 38: 2, 49: 2, 62: 2, 63: 3, 387: 15, 388: 16, 5000: 16}
    assert {tasks: recipe.tasks_in_a_step(tasks) for tasks in sizes} == sizes


def test_wrong_files_and_settings(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'quick': give paper, paper-5, fast, cpu, writer or the path"):
        load_recipe("quick")
    with pytest.raises(RecipeError, match="write key=value"):
        load_recipe("cpu", ["epochs"])
    (tmp_path / "r.yaml").write_text("- a\n")
    with pytest.raises(RecipeError, match="holds no knobs"):
        load_recipe(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text("a: [\n")
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        load_recipe(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text("preset: none\n")
    with pytest.raises(RecipeError, match="no preset 'none'"):
        load_recipe(tmp_path / "r.yaml")
