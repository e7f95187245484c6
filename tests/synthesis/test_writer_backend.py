"""The rules by which a writer's pairs are kept, and what it refuses; whole runs are in tests/integration."""

import json
import math
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lift.bundled import EMBEDDED_WRITER
from lift.document import Document, Segment
from lift.errors import (
    AdapterError,
    BaseModelMismatchError,
    DocumentError,
    GeneratorUnavailableError,
    LiftWarning,
    RecipeError,
)
from lift.model import load_base_model
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.synthesis.backends import default_generator, open_backend
from lift.synthesis.backends.drafts import Draft
from lift.synthesis.backends.writer import WriterBackend, _Question
from lift.synthesis.parser import Pair
from lift.synthesis.phrases import Capitals, find_phrases
from lift.synthesis.writing import foci_of, view

SHOWN = "Title: The mill\nNames: Jerez\n\nText before the segment:\n(none)\n\nSegment:\nAnna Berg built it in 1912."


class Handed:
    """Takes the place of a job: keeps what it is handed."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self.stopped = False
        text = "Anna Berg built it in 1912."
        self.request = SimpleNamespace(count=2, user=SHOWN, segments=(Segment(0, 0, len(text), text),))

    def hand_over(self, piece: Any) -> None:
        self.pieces.append(piece)


def draft(foci: list[str] | None = None, missing: int = 2) -> Draft:
    job: Any = Handed()
    sentence = "Anna Berg built it in 1912."
    begun = Draft(job, [], [sentence], [sentence], Capitals())
    begun.missing = missing
    if foci:
        begun.foci = foci
    return begun


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("When did Anna Berg build the mill?", None),
        ("Anna Berg built the mill.", "not a question"),
        ("What did Anna Berg build in 1912?", "does not ask for its focus"),
        ("When was the mill built?", "asks about nothing that has a name"),
        ("When did Otto build the mill?", "asks about what the text does not have"),
        ("When did Berg Anna build the mill?", "asks about what the text does not have"),
        ("When did Anna Berg build the mill of Jerez?", "asks about what the text does not have"),  # of another page
        ("When did Anna Berg erect it?", None),  # a word from elsewhere
        ("In which year did Anna Berg's mill burn?", None),
        ("When did Anna Berg erect the windmill?", "asks about what the text does not have"),
        ("When did the famous tall engineer Berg build something?", "asks about what the text does not have"),
        ("Who is Anna Berg?", "asked before"),
    ],
)
def test_questions(question: str, fault: str | None) -> None:
    begun = draft()
    begun.asked.add("who is anna berg")
    assert begun.fault_of_question(question, "1912") == fault


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("Anna Berg built the mill in 1912.", None),
        ("Anna Berg built the mill.", "the answer is not what was asked for"),
        ("Otto Berg built the mill in 1912.", "says what the text does not"),
        ("In 1912, with 31 workers.", "says what the text does not"),
        ("It was in 1912 that Jerez Berg built it.", "says what the text does not"),
        ("In 1912 it burned down and was abandoned forever.", "says what the text does not"),
        ("In 1912 the mill built it.", "says what no sentence says"),
    ],
)
def test_answers(answer: str, fault: str | None) -> None:
    assert draft().fault_of_answer(Pair("When did Anna Berg build the mill?", answer), ["1912"]) == fault


def test_an_answer_without_the_count_that_is_asked_for() -> None:
    pair = Pair("How many mills did Anna Berg build?", "Anna Berg built a number of it.")
    assert draft().fault_of_answer(pair, ["Anna Berg"]) == "the answer is not what was asked for"


def test_a_pair_that_points_at_the_text() -> None:
    pair = Pair("What does the passage say that Anna Berg built?", "Anna Berg built the mill in 1912.")
    assert draft().fault_of_answer(pair, ["1912"]) == "says what the text does not"


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        ("When was it built?", "Anna Berg built it.", True),
        ("Who built it?", "Anna Berg built it.", True),
        ("Who built it, Anna Berg?", "Anna Berg built it.", False),  # says nothing
        ("When was it built?", "Otto Berg burned it down.", False),  # says something else
        ("When was the church of Rota built?", "Anna Berg built it.", False),  # asks for something else
        ("How many were built?", "Anna Berg built it.", True),  # a number is enough
        ("Who, according to the author, built it?", "Anna Berg built it.", False),  # does not stand alone
    ],
)
def test_its_sentence_answers_a_question_whose_answer_is_no_use(question: str, answer: str, told: bool) -> None:
    begun = draft()
    begun.tell(Pair(question, answer), ["1912"])
    assert begun.told == ([Pair(question, "Anna Berg built it in 1912.")] if told else [])


@pytest.mark.parametrize("foci", [["Anna Berg"], ["1912"]])
def test_only_a_sentence_that_says_what_is_asked_for_answers(foci: list[str]) -> None:
    job: Any = Handed()
    heading, saying = "It was built by Anna Berg, 1912", "Anna Berg built it."
    begun = Draft(job, [], [heading, saying], [saying], Capitals())
    begun.tell(Pair("When was it built?", saying), foci)
    assert begun.told == []
    begun.tell(Pair("Who built it?", saying), foci)
    assert begun.told == ([Pair("Who built it?", saying)] if foci == ["Anna Berg"] else [])


def test_a_question_may_name_what_the_segment_is_about() -> None:
    job: Any = Handed()
    sentences = ["Anna Berg built it in 1912."]
    begun = Draft(job, ["Parador de Jaén"], sentences, sentences, Capitals())
    assert begun.fault_of_question("When did Anna Berg build the Parador de Jaén?", "1912") is None
    assert begun.fault_of_question("When did Anna Berg build it in Rota?", "1912") is not None
    pair = Pair("Who built the Parador de Jaén in 1912?", "Anna Berg built it in 1912.")
    assert begun.fault_of_answer(pair, ["Anna Berg"]) is None


def test_what_is_asked_for() -> None:
    text = "Olav, subdivided and affected by 150 years of floods until 1912, was known for a tall tower."
    foci = foci_of({text: find_phrases(text, Capitals(frozenset({"Olav"})))})
    assert foci == ["150 years", "Olav", "1912", "tall tower"]


def test_every_focus_is_asked_for_once() -> None:
    numbers = [str(number) for number in range(20)]
    begun = draft(foci=numbers, missing=2)
    assert begun.next_foci() == numbers[:16]  # eight for each pair that is missing
    begun.missing = 1
    assert begun.next_foci() == numbers[16:]
    assert begun.next_foci() == []
    assert draft(missing=0).next_foci() == []


def test_against_the_clock_no_more_is_asked_than_fits() -> None:
    backend = WriterBackend(EMBEDDED_WRITER, "writer")
    drafts = [draft(foci=[str(number) for number in range(9)]) for _ in range(3)]
    full = draft(missing=0)
    assert len(backend._next_foci([*drafts, full], math.inf)) == 27
    drafts = [draft(foci=[str(number) for number in range(9)]) for _ in range(3)]
    assert len(backend._next_foci(drafts, 0.0)) == 0
    assert len(backend._next_foci(drafts, 0.1)) == 6  # it must be found out how long one takes
    backend._seconds_a_focus = 1.0
    assert len(backend._next_foci(drafts, 10.0)) == 9
    assert len(backend._next_foci(drafts, 2.9)) == 0
    assert [draft.tried for draft in drafts] == [5, 5, 5]


@pytest.mark.parametrize(
    ("answer", "kept", "notes"),
    [
        ("Anna Berg built the mill in 1912.", True, {}),
        ("Anna Berg did.", False, {"pairs dropped by the writer: the answer is not what was asked for": 1}),
        ("", False, {"pairs dropped by the writer: no answer": 1}),
    ],
)
def test_the_answer_confirms_the_question(answer: str, kept: bool, notes: dict[str, int]) -> None:
    backend = WriterBackend(EMBEDDED_WRITER, "writer")
    begun = draft()
    backend._take(_Question(begun, "When did Anna Berg build the mill?", ["1912"]), answer)
    job: Any = begun.job
    assert len(job.pieces) == kept
    assert begun.missing == 2 - kept
    assert backend.notes() == {"pairs that quote the text": 0, **notes}


def test_a_question_that_several_foci_bring_is_asked_once() -> None:
    backend: Any = WriterBackend(EMBEDDED_WRITER, "writer")
    backend._guard = SimpleNamespace(barred=lambda own: None)
    begun, text = draft(), "When did Anna Berg build the mill?"
    written = SimpleNamespace(write=lambda *_: [text, text, text, "Who is Anna Berg?"])
    (question, _) = backend._ask(written, [(begun, focus) for focus in ("it", "1912", "Anna Berg", "1912")])
    assert (question.text, question.foci) == (text, ["it", "1912"])  # not what it says itself
    backend._take(question, "Anna Berg built the mill in 1912.")  # as the second of them wants it
    job: Any = begun.job
    assert len(job.pieces) == 1


def test_names_in_questions_are_spelled_as_in_the_text() -> None:
    backend: Any = WriterBackend(EMBEDDED_WRITER, "writer")
    backend._guard = SimpleNamespace(barred=lambda own: None)
    job: Any = Handed()
    begun = Draft(job, ["Parador"], [], [], Capitals())
    written = SimpleNamespace(write=lambda *_: ["When did Anna Berg build the Paredor?"])
    (question,) = backend._ask(written, [(begun, "1912")])
    assert question.text == "When did Anna Berg build the Parador?"


def test_what_is_left_is_told_and_quoted() -> None:
    backend = open_backend("writer")
    document = Document.from_text("The mill was built by Anna Berg in 1912. It has nine towers of red brick.", "Mill")
    segments = backend.segments(document, Recipe(segment_min_chars=80))
    list(backend.requests(document, segments, Recipe()))
    begun = draft(missing=4)
    begun.job.request.segments = tuple(segments)
    begun.told = [Pair(f"Which question is number {number}?", "It has nine towers.") for number in range(3)]
    assert backend._from_text(begun) == [
        *begun.told[:2],
        Pair("What is said about Anna Berg in 1912?", "The mill was built by Anna Berg in 1912."),
        Pair("What is said about Anna Berg and towers of red brick?", "It has nine towers of red brick."),
    ]
    assert backend.notes() == {"pairs that quote the text": 2, "questions answered with their sentences": 2}
    begun.missing = 1
    assert backend._from_text(begun) == begun.told[:1]


def test_the_rest_is_quoted() -> None:
    backend = open_backend("writer")
    document = Document.from_text("The mill was built by Anna Berg in 1912.", "The mill")
    segments = backend.segments(document, Recipe())
    list(backend.requests(document, segments, Recipe()))
    begun = draft(missing=1)
    begun.job.request.segments = tuple(segments)
    assert backend._from_text(begun) == [Pair("What is said about Anna Berg in 1912?", document.text)]
    assert backend.notes() == {"pairs that quote the text": 1}


def test_names_from_pages_before_are_shown() -> None:
    text = "The castle stands in the town of Sigüenza. " + "It was built of stone. " * 60 + "It has nine towers."
    document = Document.from_text(text, "Castles")
    segment = split_document(document, Recipe())[-1]
    shown = view(document, segment)
    assert "Names: Sigüenza\n" in shown
    assert shown.endswith("It has nine towers.")
    assert len(shown) < 600


def requests(text: str, **knobs: Any) -> list[Any]:
    document = Document.from_text(text, "T")
    backend, recipe = open_backend("writer"), Recipe(**knobs)
    return list(backend.requests(document, backend.segments(document, recipe), recipe))


def test_other_languages_are_said_to_be_no_good() -> None:
    with pytest.warns(LiftWarning, match="made for English texts"):
        requests("Die Mühle wurde im Jahr 1912 von Anna Berg gebaut. Sie steht noch heute am Fluss in der Stadt.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        requests("The mill was built by Anna Berg in 1912, and it stands to this day by the river in the town.")


@pytest.mark.parametrize("knobs", [{"ask_about": "needles"}, {"document_share": 0.2}])
def test_what_it_cannot_write(knobs: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="single segments alone"):
        requests("A text.", **knobs)


def test_a_program_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(DocumentError, match=r"writer asks about sentences, and mill\.py has none"):
        open_backend("writer").segments(Document("x = 1", "The mill", "mill.py"), Recipe())


def test_another_base_model(tiny_model: Path) -> None:
    with pytest.raises(BaseModelMismatchError):
        open_backend("writer").use_model(load_base_model(tiny_model))


def copied_writer(folder: Path, taught: str) -> str:
    shutil.copytree(EMBEDDED_WRITER, folder)
    manifest = json.loads((folder / "lift.json").read_text(encoding="utf-8"))
    manifest["document"]["sha256"] = taught
    (folder / "lift.json").write_text(json.dumps(manifest), encoding="utf-8")
    return f"writer:{folder}"


@pytest.mark.parametrize(
    ("taught", "message"),
    [("5f0c", "is no task writer: it knows a document"), ("writer-0", "another lift's prompts; teach it again")],
)
def test_other_adapters(taught: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=message):
        open_backend(copied_writer(tmp_path / "w", taught))


def test_only_the_embedded_model_has_one() -> None:
    assert default_generator(None) == default_generator("embedded") == "writer"
    with pytest.raises(GeneratorUnavailableError, match="name who writes the tasks"):
        default_generator("Qwen/Qwen3-4B")


def test_it_is_small_enough_to_come_along() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED_WRITER.iterdir()) <= 12 * 1024**2
