"""The folder on disk, and answers from it; with a tiny random model, since nothing here depends on what it knows."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import lift
from lift.adapter import read_manifest, save_merged
from lift.chat import LiftedModel
from lift.errors import AdapterError, AdapterExistsError, BaseModelMismatchError, LiftWarning, ModelError
from lift.folding import FoldedLora
from tests.conftest import RECORDED

KNOBS = {"rank": 4, "alpha": 8, "lr": 0.05, "epochs": 1, "min_steps": 1, "tasks_per_segment": 2}


def absorb(document: Any, model: Path, **options: Any) -> LiftedModel:
    options = {"generator": f"recorded:{RECORDED}", "recipe": KNOBS, "device": "cpu", **options}
    return lift.absorb(document, model=model, **options)


@pytest.fixture
def folder(tiny_model: Path, short: Any, tmp_path: Path) -> Path:
    absorb(short, tiny_model, out=tmp_path / "adapter", dtype="float32")
    return tmp_path / "adapter"


def test_the_folder_is_a_plain_peft_folder_with_a_manifest(folder: Path, tiny_model: Path, short: Any) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "lift.json",
        "tasks.jsonl",
        ".tasks.jsonl.lock",
    }
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny_model)
    manifest = read_manifest(folder)
    assert manifest.document["sha256"] == short.sha256
    assert manifest.base_model["id"] == str(tiny_model)
    assert manifest.recipe["rank"] == 4
    assert manifest.scale_beside_text == 0.75
    assert manifest.counts["tasks"] == 10
    assert manifest.counts["segments"] == 5
    assert manifest.counts["recorded segments that do not match the document"] == 101
    assert set(manifest.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert manifest.losses["last"] < manifest.losses["first"]


def test_peft_alone_gives_the_same_logits(folder: Path, tiny_model: Path) -> None:
    ids = torch.tensor([[5, 6, 7, 8]])
    ours = lift.load(folder, device="cpu", dtype="float32")
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    without = plain(ids).logits
    theirs = PeftModel.from_pretrained(plain, folder).eval()
    with torch.no_grad():
        expected = theirs(ids).logits
        torch.testing.assert_close(ours.adapted(ids).logits, expected)
    assert (expected - without).abs().max() > 0.01  # the adapter does something


def test_what_is_saved_is_what_was_trained(tiny_model: Path, short: Any, tmp_path: Path) -> None:
    trained = absorb(short, tiny_model, out=tmp_path / "a", dtype="bfloat16")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = trained.adapted(ids).logits
        trained.close()
        assert torch.equal(lift.load(tmp_path / "a", device="cpu", dtype="bfloat16").adapted(ids).logits, before)


def test_the_same_run_gives_the_same_bytes(tiny_model: Path, short: Any, tmp_path: Path) -> None:
    names = ["a", "b"]
    for name in names:
        absorb(short, tiny_model, out=tmp_path / name)
    first, second = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in names)
    assert first == second
    absorb(short, tiny_model, out=tmp_path / "c", recipe={**KNOBS, "seed": 1})
    assert (tmp_path / "c" / "adapter_model.safetensors").read_bytes() != first


def test_one_base_model_for_several_documents(tiny_model: Path, short: Any, picardo: Any) -> None:
    base = lift.load_base_model(tiny_model, device="cpu")
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    for document in (short, picardo):
        lifted = lift.absorb(document, model=base, generator=f"recorded:{RECORDED}", recipe=KNOBS)
        lifted.ask("Who?", max_new_tokens=2)
        lifted.close()
    after = base.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_finished_folder_is_not_overwritten_unasked(folder: Path, tiny_model: Path, short: Any) -> None:
    before = (folder / "lift.json").read_bytes()
    with pytest.raises(AdapterExistsError, match="--overwrite"):
        absorb(short, tiny_model, out=folder)
    assert (folder / "lift.json").read_bytes() == before
    absorb(short, tiny_model, out=folder, overwrite=True, recipe={**KNOBS, "seed": 3})
    assert read_manifest(folder).recipe["seed"] == 3


def test_overwriting_with_another_document_replaces_the_tasks(folder: Path, tiny_model: Path, picardo: Any) -> None:
    absorb(picardo, tiny_model, out=folder, overwrite=True)
    assert read_manifest(folder).counts["segments"] == 106


def test_save_without_a_folder_keeps_the_tasks(tiny_model: Path, short: Any, tmp_path: Path) -> None:
    lifted = absorb(short, tiny_model)
    lifted.save(tmp_path / "later")
    assert lift.load(tmp_path / "later", device="cpu").ask("Who?", max_new_tokens=3) == lifted.ask(
        "Who?", max_new_tokens=3
    )
    assert (tmp_path / "later" / "tasks.jsonl").read_text().count('"record": "task"') == 10
    with pytest.raises(AdapterExistsError):
        lifted.save(tmp_path / "later")


def test_a_merged_model_needs_no_peft(folder: Path, tmp_path: Path) -> None:
    lifted = lift.load(folder, device="cpu", dtype="float32")
    lifted.save(tmp_path / "merged", merged=True)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, lifted.adapted(ids).logits, rtol=1e-4, atol=1e-4)
    with pytest.raises(AdapterExistsError, match="not empty"):
        lifted.save(tmp_path / "merged", merged=True)


def test_a_part_of_the_adapter_is_merged(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    lifted = lift.load(folder, device="cpu", dtype="float32")
    fresh = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    save_merged(fresh, folder, tmp_path / "half", adapter_scale=0.5)
    half = AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad(), lifted.base.wearing(lifted.adapted), lifted.base.wardrobe.scaled(0.5):
        torch.testing.assert_close(half(ids).logits, lifted.adapted(ids).logits, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert not torch.allclose(half(ids).logits, lifted.adapted(ids).logits, rtol=1e-2, atol=1e-2)


class TestWhatDoesNotMatch:
    def test_another_base_model(self, folder: Path, tiny_model: Path, tmp_path: Path) -> None:
        other = shutil.copytree(tiny_model, tmp_path / "other")
        network = AutoModelForCausalLM.from_pretrained(other)
        network.model.layers[0].mlp.up_proj.weight.data *= 1.5
        network.save_pretrained(other)
        with pytest.raises(BaseModelMismatchError, match=r"trained on .*tiny; the weights of .*other are others"):
            lift.load(folder, model=other, device="cpu")

    def test_the_same_base_model_elsewhere_and_in_another_dtype(
        self, folder: Path, tiny_model: Path, tmp_path: Path
    ) -> None:
        moved = shutil.copytree(tiny_model, tmp_path / "moved")
        lift.load(folder, model=moved, device="cpu", dtype="bfloat16")

    def test_a_changed_file(self, folder: Path) -> None:
        path = folder / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        with pytest.raises(AdapterError, match="changed or damaged"):
            lift.load(folder)

    def test_a_missing_file(self, folder: Path) -> None:
        (folder / "adapter_model.safetensors").unlink()
        with pytest.raises(AdapterError, match="is missing"):
            lift.load(folder)

    def test_an_unfinished_run(self, folder: Path) -> None:
        (folder / "lift.json").unlink()
        with pytest.raises(AdapterError, match="unfinished run"):
            lift.load(folder)

    def test_no_folder_and_a_strange_folder(self, tmp_path: Path) -> None:
        with pytest.raises(AdapterError, match="no adapter folder"):
            lift.load(tmp_path / "none")
        with pytest.raises(AdapterError, match="not written by lift"):
            lift.load(tmp_path)

    def test_another_format(self, folder: Path) -> None:
        content = json.loads((folder / "lift.json").read_text())
        (folder / "lift.json").write_text(json.dumps({**content, "format": 99}))
        with pytest.raises(AdapterError, match="format 99; this lift reads 1"):
            lift.load(folder)

    def test_other_library_versions_are_warned_about(self, folder: Path) -> None:
        content = json.loads((folder / "lift.json").read_text())
        content["versions"]["transformers"] = "3.0.0"
        (folder / "lift.json").write_text(json.dumps(content))
        with pytest.warns(LiftWarning, match=r"transformers 3.0.0 \(now"):
            lift.load(folder, device="cpu")


class TestAnswers:
    @pytest.fixture
    def lifted(self, folder: Path) -> LiftedModel:
        return lift.load(folder, device="cpu", dtype="float32")

    def test_batched_answers_equal_single_ones(self, lifted: LiftedModel) -> None:
        questions = [
            "Who?",
            "Where was the architect born, and in which year was it?",
            "When did he move to Madrid?",
        ] * 7
        batched = lifted.ask_many(questions, max_new_tokens=8)
        assert batched == [lifted.ask(question, max_new_tokens=8) for question in questions]
        assert len(set(batched)) > 1

    def test_folded_or_not_the_answers_are_the_same(self, lifted: LiftedModel, monkeypatch: pytest.MonkeyPatch) -> None:
        assert len(lifted._asker._folded) > 0
        questions = ["Who?", "When did he move to Madrid?"]
        folded = lifted.ask_many(questions, max_new_tokens=8)
        monkeypatch.setattr(lifted._asker, "_folded", FoldedLora(lifted.adapted, lr=None, most_bytes=0))
        assert lifted.ask_many(questions, max_new_tokens=8) == folded

    def test_what_can_be_folded_does_not_depend_on_the_first_answer(self, lifted: LiftedModel) -> None:
        lifted.ask("Who?", adapter_scale=0, max_new_tokens=2)
        assert len(lifted._asker._folded) > 0

    def test_several_threads_may_ask_with_the_adapter_and_without(self, lifted: LiftedModel) -> None:
        def ask(question: str, without: bool) -> str:
            return lifted.ask(question, without_adapter=without, max_new_tokens=20)

        questions = ["Who?", "When did he move to Madrid?", "Where was the architect born?"] * 2
        without = [False, True] * 3
        single = list(map(ask, questions, without))
        with ThreadPoolExecutor(len(questions)) as pool:
            assert list(pool.map(ask, questions, without)) == single

    def test_the_base_model_answers_without_the_adapter(self, lifted: LiftedModel) -> None:
        bare = lifted.ask("Who?", without_adapter=True, max_new_tokens=8)
        assert bare != lifted.ask("Who?", max_new_tokens=8)
        ids = torch.tensor([lifted._asker.prompt("Who?", max_new_tokens=8)])
        lifted.close()
        assert (
            lifted.base.tokenizer.decode(
                lifted.base.network.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :],
                skip_special_tokens=True,
            ).strip()
            == bare
        )

    def test_streamed_pieces_make_the_answer(self, lifted: LiftedModel) -> None:
        pieces = list(lifted.stream("Who?", max_new_tokens=8))
        assert len(pieces) > 1
        assert "".join(pieces).strip() == lifted.ask("Who?", max_new_tokens=8)

    def test_a_conversation_remembers_finished_turns(self, lifted: LiftedModel) -> None:
        conversation = lifted.chat()
        first = "".join(conversation.ask("Who?", max_new_tokens=5)).strip()
        assert conversation.history == [("Who?", first)]
        answer = conversation.ask("And when?", max_new_tokens=400)
        next(answer)
        answer.close()  # as Ctrl-C does
        assert len(conversation.history) == 1

    def test_a_long_conversation_forgets_its_beginning(self, lifted: LiftedModel) -> None:
        conversation = lifted.chat()
        for _ in range(8):
            list(conversation.ask("Who was it that moved to Madrid? " * 8, max_new_tokens=40))
        prompt = lifted._asker.prompt("Who?", conversation.history, max_new_tokens=40)
        assert len(prompt) + 40 <= 512

    def test_a_long_answer_is_cut_short_at_the_end_of_the_window(self, lifted: LiftedModel) -> None:
        answer = lifted.ask("Who?", max_new_tokens=10_000)
        assert len(lifted.base.tokenizer(answer)["input_ids"]) < 512

    def test_as_much_context_as_fits_head_and_tail(self, lifted: LiftedModel, picardo: Any) -> None:
        prompt = lifted._asker.prompt("Who?", context=picardo.text, max_new_tokens=100)
        assert 512 - 100 - 40 < len(prompt) <= 512 - 100
        text = lifted.base.tokenizer.decode(prompt)
        assert "Early life. Picardo was born in Jerez" in text
        assert "opened to guests on 11 September 1965." in text
        assert "[...]" in text
        short = lifted._asker.prompt("Who?", context="A short text.", max_new_tokens=100)
        assert "A short text.\n\nPlease answer" in lifted.base.tokenizer.decode(short)
        lifted.ask("Who?", context=picardo.text, max_new_tokens=100)

    def test_a_question_that_does_not_fit(self, lifted: LiftedModel) -> None:
        with pytest.raises(ModelError, match="it does not fit into the model's context window of 512"):
            lifted.ask("word " * 600)


@pytest.mark.parametrize("kind", ["lora", "none"])
def test_what_questions_share_is_computed_once(
    kind: str, tiny_model: Path, short: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifted = absorb(short, tiny_model, recipe={**KNOBS, "adapter": kind}, dtype="float32")
    questions, context = ["Who?", "When did he move to Madrid?"], short.text[:600]
    single = [lifted.ask(question, context=context, max_new_tokens=8) for question in questions]
    computed: list[int] = []
    decoder = lifted.base.network.get_decoder()
    monkeypatch.setattr("lift.asking._SHARED_TOKENS", 20)
    with decoder.register_forward_pre_hook(
        lambda module, args, kwargs: computed.append(kwargs["input_ids"].numel()), with_kwargs=True
    ):
        assert lifted.ask_many(questions, context=context, max_new_tokens=8) == single
    assert computed[0] > 100
    assert max(computed[1:]) < 40


@pytest.mark.parametrize("kind", ["rslora", "dora"])
def test_other_kinds_of_lora(kind: str, tiny_model: Path, short: Any, tmp_path: Path) -> None:
    """They learn, and what is loaded answers as what was trained."""
    recipe = {"rank": 4, "alpha": 8, "lr": 0.02, "epochs": 3, "adapter": kind}
    lifted = lift.absorb(
        short, model=tiny_model, generator=f"recorded:{RECORDED}", recipe=recipe, out=tmp_path / "a", dtype="float32"
    )
    assert lifted.manifest.losses["last"] < lifted.manifest.losses["first"]
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["use_dora"] is (kind == "dora")
    assert config["use_rslora"] is (kind == "rslora")
    answers = lifted.ask_many(["Who?", "Where was Picardo born?"], max_new_tokens=12)
    loaded = lift.load(tmp_path / "a", dtype="float32")
    assert loaded.ask_many(["Who?", "Where was Picardo born?"], max_new_tokens=12) == answers
