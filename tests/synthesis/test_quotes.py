"""Tasks by rules: the document's own sentences, and phrases in them to ask for."""

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.document import Document
from lift.errors import DocumentError, GenerationError, LiftWarning, RecipeError
from lift.generation import write_tasks
from lift.jsonl import read_jsonl
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.synthesis.backends import open_backend
from lift.synthesis.checks import normalised
from lift.synthesis.quotes import Quoter
from tests.conftest import RECORDED

MILL = (
    "The mill was built by Anna Berg in 1912. It stood by the river for sixty years, until the great flood. "
    "Afterwards the mill was never used again, and Anna Berg moved to Jerez."
)


def asked(text: str) -> list[list[tuple[str, str]]]:
    document = Document.from_text(text, "The mill")
    segments = split_document(document, Recipe())
    quoter = Quoter(document, segments)
    return [[(pair.question, pair.answer) for pair in quoter.pairs(segment)] for segment in segments]


def test_answers_are_the_sentences() -> None:
    first, second, third = asked(MILL)
    assert first == [
        ("What is said about Anna Berg in 1912?", "The mill was built by Anna Berg in 1912."),
        # Part of the other phrase, so it comes later; the mill alone would ask for too little.
        ("What is said about Anna Berg?", "The mill was built by Anna Berg in 1912."),
    ]
    # A description that says too little has a name beside it, or the title where the sentence has none.
    assert second == [
        (
            "What is said about The mill and great flood?",
            "It stood by the river for sixty years, until the great flood.",
        )
    ]
    # She was asked for before, and single plain words are left out where there is something better.
    assert [question for question, _ in third] == ["What is said about Jerez?"]


def test_a_sentence_without_a_name_is_about_an_earlier_one() -> None:
    text = "They all liked to see Rota. Rota is a town by the sea. It has a low rate of growth."
    questions = [question for pairs in asked(text) for question, _ in pairs]
    assert "What is said about Rota and low rate of growth?" in questions
    apart = text.replace(" Rota is", "\n\nRota is").replace(" It has", "\n\nThere was")
    assert "What is said about The mill and low rate of growth?" in [q for pairs in asked(apart) for q, _ in pairs]


@pytest.mark.parametrize(
    ("sentence", "questions"),
    [
        ("In the Peninsular War it housed many troops.", ["Rota and Peninsular War"]),
        ("In the Peninsular War it was for Rota to house troops.", ["Peninsular War"]),
        ("The Peninsular War was not far away.", ["Peninsular War"]),
    ],
)
def test_what_a_pronoun_stands_for_is_named(sentence: str, questions: list[str]) -> None:
    pairs = asked(f"They all liked to see Rota. Rota is a town by the sea. {sentence}")[-1]
    here = [question for question, answer in pairs if answer == sentence]
    assert here == [f"What is said about {question}?" for question in questions]


def test_what_a_segment_is_about() -> None:
    document = Document.from_text("Parador de Jaén. It has nine dark rooms by now. They were built in 1965.", "T")
    segments = split_document(document, Recipe())
    assert [Quoter(document, segments).topics(segment) for segment in segments] == [["Parador de Jaén"]]


def test_headings_are_not_quoted() -> None:
    text = f"# How Anna built the mill in Jerez\n{MILL}"
    assert not [answer for pairs in asked(text) for _, answer in pairs if "How Anna" in answer]


def test_code_is_not_quoted() -> None:
    code = "\n".join(["```sh", *["Anna Berg built the mill by herself in 1912."] * 30, "```"])
    text = f"This is how Olav Berg left the mill in Jerez:\n\n{code}\n\n{MILL}"
    answers = {answer for pairs in asked(text) for _, answer in pairs}
    assert answers == {answer for pairs in asked(MILL) for _, answer in pairs}  # nor what announces it
    document = Document(MILL, "The mill", "mill.py")
    assert not list(Quoter(document, segments := split_document(document, Recipe())).pairs(segments[0]))


def test_rows_of_a_table_are_asked_for_by_their_first_cell() -> None:
    rows = [
        "| Part | Made of |",
        "| --- | --- |",
        "| wheel | oak wood |",
        "| dam of Berg | stone |",
        "| wheel | iron |",
    ]
    text = "\n".join([MILL, "# Parts of the mill", *rows])
    assert [pair for pairs in asked(text) for pair in pairs if "Part:" in pair[1]] == [
        ("What is said about The mill: Parts of the mill and wheel?", "Part: wheel; Made of: oak wood"),
        ("What is said about dam of Berg?", "Part: dam of Berg; Made of: stone"),
    ]


def test_rows_of_a_table_are_about_its_section() -> None:
    table = "| Room | Floor |\n| --- | --- |\n| stable | ground |\n| Great Hall | first |"
    questions = [question for pairs in asked(f"{MILL}\n\n## Parador de Jaén\n\n{table}") for question, _ in pairs]
    assert questions[-2:] == ["What is said about Parador de Jaén and stable?", "What is said about Great Hall?"]


def test_every_list_item_begins_something_new() -> None:
    text = "- Rota is a town by the sea. It has a low rate of growth.\n- There was a strong wind from the south."
    questions = [question for pairs in asked(text) for question, _ in pairs]
    assert "What is said about The mill and strong wind?" in questions


def test_what_asks_says_nothing() -> None:
    text = 'Who built the mill in 1912? Anna Berg asked: "Why was it built on the hill?" Ben Dahl built the old mill.'
    pairs = [pair for about in asked(text) for pair in about]
    assert not any(answer.endswith(("?", '?"')) for _, answer in pairs)
    assert ("What is said about Ben Dahl?", "Ben Dahl built the old mill.") in pairs


def test_what_somebody_says_is_about_them() -> None:
    turns = ["Anna: Hello.", "Ben: Hello there.", "Ben: We have the new budget now.\nThere is a large reserve left."]
    questions = [question for pairs in asked("\n\n".join([*turns, "Anna: It is."])) for question, _ in pairs]
    assert questions == [
        f"What is said about {focus}?" for focus in ("Ben", "Ben and new budget", "Ben and large reserve")
    ]


def test_lines_that_are_broken_in_the_text_are_whole() -> None:
    first, *_ = asked(MILL.replace("Anna Berg in", "Anna\nBerg  in"))
    assert ("What is said about Anna Berg in 1912?", "The mill was built by Anna Berg in 1912.") in first


def test_list_items_are_sentences_of_their_own() -> None:
    items = ["Anna Berg kept the mill in Jerez for forty years", "Her brother Olav sold it to the town of Cádiz"]
    answers = {answer for pairs in asked(f"- {items[0]}\n- {items[1]}\n") for _, answer in pairs}
    assert answers == set(items)


def test_every_sentence_is_asked_for() -> None:
    (pairs,) = asked("Anna Berg met a miller in May. She was said to be remarkable.")
    assert ("What is said about Anna Berg and remarkable?", "She was said to be remarkable.") in pairs


def test_what_stands_everywhere_comes_last() -> None:
    text = "Anna Berg was born in Jerez. Anna Berg had been at sea before. Anna Berg is now in Cádiz."
    assert [question for question, _ in asked(text)[0]][:1] == ["What is said about Jerez?"]
    assert sum(question == "What is said about Anna Berg?" for pairs in asked(text) for question, _ in pairs) == 1


def test_sentences_of_a_segment_take_turns() -> None:
    document = Document.from_text(MILL, "The mill")
    segments = split_document(document, Recipe(segment=200))
    answers = [pair.answer for pair in Quoter(document, segments).pairs(segments[0])]
    assert len(set(answers[:3])) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Early life.",
        "A list",
        "It was so, and it was not.",
        "We’ll discuss the mills of Jerez in Chapter 8.",
        "In this chapter, mills of the town of Jerez are shown.",
        "Now let's turn to the mills of Jerez.",
    ],
)
def test_nothing_to_ask(text: str) -> None:
    assert not any(asked(text))


WORDS = st.sampled_from(
    "Anna Berg's mill 1912 built slowly of the river. and, Then ’s “Moon” 霊感商法 - a.m. x".split()
)


@given(st.lists(WORDS, min_size=1, max_size=60).map(" ".join))
def test_any_text(text: str) -> None:
    """Answers are the text's own, and nothing is asked twice."""
    pairs = [pair for pairs in asked(text) for pair in pairs]
    assert all(answer in text for _, answer in pairs)
    questions = [normalised(question) for question, _ in pairs]
    assert len(questions) == len(set(questions))


def test_a_file_of_tasks(tmp_path: Path) -> None:
    """The whole way, without a model; a heading is answered with nothing."""
    document = Document.from_text(f"# Early life of the mill in the south\n\n{MILL}", "The mill")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = write_tasks(document, tmp_path / "tasks.jsonl", generator="quotes", recipe=Recipe(tasks_per_segment=2))
    tasks = [record for _, record in read_jsonl(tmp_path / "tasks.jsonl") if record["record"] == "task"]
    assert counts["complete"]
    assert counts["tasks"] == len(tasks) == counts["kept"]
    assert counts["generator_tokens"]["prompt"] == 0
    assert max(sum(task["segments"] == [number] for task in tasks) for number in range(counts["segments"])) == 2
    assert all(task["answer"] in document.text for task in tasks)


def test_the_same_document_gives_the_same_tasks(tmp_path: Path) -> None:
    document = Document.from_text(MILL, "The mill")
    for name in ("a", "b"):
        write_tasks(document, tmp_path / name, generator="quotes")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_rules_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document.from_text(MILL, "The mill")
    write_tasks(document, tmp_path / "a", generator="quotes")
    monkeypatch.setattr("lift.synthesis.backends.quotes.QuotesBackend.rules", "quotes-new")
    assert write_tasks(document, tmp_path / "a", generator="quotes", overwrite=True)["kept"] > 0


def test_a_program_has_no_sentences(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"quotes asks about sentences, and mill\.py has none"):
        write_tasks(Document(MILL, "The mill", "mill.py"), tmp_path / "tasks.jsonl", generator="quotes")


def test_a_document_without_sentences(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="gave no tasks"):
        write_tasks(Document("A short list", "T"), tmp_path / "tasks.jsonl", generator="quotes")


def test_quotes_beside_a_generator(short: Document, tmp_path: Path) -> None:
    """They come before a segment's answer; a second run, an edited document and a playback do not double them."""
    recipe = Recipe(tasks_per_segment=5, quotes_per_segment=2)
    out = tmp_path / "tasks.jsonl"
    counts = write_tasks(short, out, generator=f"recorded:{RECORDED}", recipe=recipe)
    assert counts["kept"] == 5 * counts["segments"]
    assert counts["segments"] < counts["quoted"] <= 2 * counts["segments"]
    assert counts["tasks"] == counts["kept"] + counts["quoted"]
    records = [record for _, record in read_jsonl(out) if record["record"] == "task"]
    assert records[0]["kind"] == "quote"
    quotes = [record for record in records if record["kind"] == "quote"]
    assert len(quotes) == counts["quoted"]
    assert all(quote["answer"] in short.text for quote in quotes)

    again = write_tasks(short, out, generator=f"recorded:{RECORDED}", recipe=recipe)
    assert (again["quoted"], again["kept"], again["tasks"]) == (0, 0, counts["tasks"])
    played = write_tasks(short, tmp_path / "played.jsonl", generator=f"recorded:{out}", recipe=recipe)
    assert (played["quoted"], played["kept"]) == (counts["quoted"], counts["kept"])
    edited = Document.from_text(f"{short.text} The end came in 1990, with a great flood.", short.title)
    kept = write_tasks(edited, out, generator=f"recorded:{RECORDED}", recipe=recipe, overwrite=True)
    assert (kept["quoted"], kept["kept"], kept["tasks"]) == (0, 0, counts["tasks"])
    more = write_tasks(edited, out, generator="quotes", recipe=recipe, overwrite=True)
    assert more["quoted"] >= counts["quoted"]


def test_an_interrupted_run_quotes_what_is_missing(short: Document, tmp_path: Path) -> None:
    recipe = Recipe(tasks_per_segment=5, quotes_per_segment=2)
    out = tmp_path / "tasks.jsonl"
    write_tasks(short, out, generator=f"recorded:{RECORDED}", recipe=recipe)
    whole = {record["id"] for _, record in read_jsonl(out) if record["record"] == "task"}
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    out.write_text("".join(lines[:2]), encoding="utf-8")  # the header and the first quote
    write_tasks(short, out, generator=f"recorded:{RECORDED}", recipe=recipe)
    found = [record["id"] for _, record in read_jsonl(out) if record["record"] == "task"]
    assert len(found) == len(whole)
    assert set(found) == whole


def test_other_languages_are_said_to_be_no_good(tmp_path: Path) -> None:
    document = Document.from_text("Die Mühle wurde im Jahr 1912 von Anna Berg am Fluss gebaut und steht noch.", "T")
    with pytest.warns(LiftWarning, match="made for English texts"):
        write_tasks(document, tmp_path / "tasks.jsonl", generator="quotes")


@pytest.mark.parametrize("knobs", [{"ask_about": "needles"}, {"document_share": 0.2}])
def test_what_it_cannot_ask(knobs: dict[str, object]) -> None:
    recipe, document = Recipe(**knobs), Document.from_text(MILL, "T")
    backend = open_backend("quotes")
    with pytest.raises(RecipeError, match="single segments alone"):
        backend.segments(document, recipe)
