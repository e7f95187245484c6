import json
import string
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.document import Document, Segment
from lift.errors import MissingExtraError
from lift.recipe import Recipe
from lift.sentences import find_sentences, sentence_ends
from lift.splitting import split_document
from tests.conftest import RECORDED


def sentences(text: str) -> list[str]:
    ends = [0, *sentence_ends(text)]
    return [text[a:b].strip() for a, b in pairwise(ends) if text[a:b].strip()]


def split(text: str, **knobs: object) -> list[str]:
    recipe = Recipe().replace(**{"segment_min_chars": 0, **knobs})
    return [segment.text for segment in split_document(Document.from_text(text, "t"), recipe)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Dr. J. R. R. Tolkien met Mr. Smith at 3.5 p.m. on Jan. 5.", "He left."],
        ["It cost $5.", "Then it cost 1,600.50 in all."],
        ['He said "Hello there!"', "Then he left."],
        ["See Fig. 3, e.g. the arch, and No. 7 of vol. 2.", "It stands."],
        ["The U.S. Army came.", "It left in 1945."],
        ["Wait ... what?", "Nothing."],
        ["He worked at Apple Inc.", "Later he left."],
        ["Er wohnt z. B. in der Dr. Karl-Str. 5 und liest.", "Das Haus ist alt."],
        ["これは文です。", "次の文です。", "終わり"],
        ["这是一句话！", "那是什么？", "好。"],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["هل هذا سؤال؟", "نعم هذا جواب."],
        ["An architecture of stone..", "The Civil War began."],
    ],
    ids=lambda parts: parts[0][:20],
)
def test_sentence_ends(parts: list[str]) -> None:
    joiner = "" if parts[0][-1] in "。！？" else " "
    assert sentences(joiner.join(parts)) == parts


def test_sentences_end_with_their_block() -> None:
    text = (
        "The mill\n\nIt was built\nin 1912. It stands.\n## What became of it\nNothing ...\n- two stones\n2. A. Berg\n\n"
    )
    found = list(find_sentences(text))
    assert [sentence for _, sentence in found] == [
        "The mill",
        "It was built\nin 1912.",
        "It stands.",
        "## What became of it",
        "Nothing ...",
        "- two stones",
        "2. A. Berg",
    ]
    assert all(text[start:].startswith(sentence) for start, sentence in found)
    assert list(find_sentences(" ")) == []


def test_a_lost_paragraph_break_is_found_and_code_is_left_alone() -> None:
    assert sentences("He moved to Madrid.From the beginning he drew. It opened in 1965.In 1981 he came back.") == [
        "He moved to Madrid.",
        "From the beginning he drew.",
        "It opened in 1965.",
        "In 1981 he came back.",
    ]
    assert sentences("Call os.Path and System.Out.println(x) with care.") == [
        "Call os.Path and System.Out.println(x) with care."
    ]


def test_agrees_with_the_segments_of_a_strong_splitter(picardo: Document) -> None:
    """The recorded segments were cut elsewhere; nearly all of their ends are ours too."""
    records = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    theirs = {record["start"] + len(picardo.text[record["start"] : record["end"]].rstrip()) for record in records}
    ours = {segment.end for segment in split_document(picardo, Recipe())}
    assert len(theirs & ours) / len(theirs | ours) > 0.95


def check(document: Document, segments: list[Segment], recipe: Recipe) -> None:
    assert [segment.index for segment in segments] == list(range(len(segments)))
    end = 0
    for segment in segments:
        assert document.text[segment.start : segment.end] == segment.text
        assert segment.text == segment.text.strip() != ""
        assert segment.start >= end
        assert not document.text[end : segment.start].strip()
        end = segment.end
    assert not document.text[end:].strip()
    if isinstance(recipe.segment, str):
        assert all(len(segment.text) <= recipe.segment_max_chars for segment in segments)


PIECES = st.sampled_from(
    [
        "Dr. Who",
        "e.g.",
        "Hello.",
        "What?",
        "\n",
        "\n\n",
        "# A heading\n",
        "- item\n",
        "| a | b |\n",
        "```\n",
        " ",
        "1.",
        "一文。",
        "x" * 90,
        "A.",
        "...",
        "word",
        "\t",
        "a b c",
    ]
)


@given(
    st.lists(PIECES | st.text(string.printable, max_size=20), max_size=40),
    st.sampled_from(["sentence", "paragraph", 8, 50]),
    st.sampled_from([0, 40, 64]),
    st.sampled_from([64, 200]),
)
def test_nothing_is_lost_but_white_space(pieces: list[str], segment: str | int, least: int, most: int) -> None:
    text = "".join(pieces)
    if not text.strip("\x00\x0b\x1c\x1d\x1e\x1f\x85\x0c \t\n\r"):
        return
    document = Document.from_text(text, "t")
    recipe = Recipe().replace(segment=segment, segment_min_chars=least, segment_max_chars=most)
    check(document, split_document(document, recipe), recipe)


def test_the_example_in_every_unit(picardo: Document) -> None:
    sizes = {}
    for unit in ("sentence", "paragraph", 100):
        recipe = Recipe().replace(segment=unit)
        segments = split_document(picardo, recipe)
        check(picardo, segments, recipe)
        assert all(len(segment.text) >= recipe.segment_min_chars for segment in segments)
        sizes[unit] = len(picardo.text) / len(segments)
    assert sizes["sentence"] < 200 < sizes[100] < 420 < sizes["paragraph"]


def test_headings_are_joined_to_what_follows() -> None:
    text = (
        "# Bridges\n\n## Of stone\nThe first was built in 1932.\n\n"
        "A list of them\n\n- One is red. It is long.\n- Two is blue."
    )
    assert split(text) == [
        "# Bridges\n\n## Of stone\nThe first was built in 1932.",
        "A list of them\n\n- One is red.",
        "It is long.",
        "- Two is blue.",
    ]


def test_short_sentences_are_joined_and_long_ones_cut_at_white_space() -> None:
    assert split("Early life. He was born in the town of Jerez. Yes.", segment_min_chars=20) == [
        "Early life. He was born in the town of Jerez. Yes."
    ]
    pieces = split("word " * 100, segment_max_chars=120)
    assert all(len(piece) <= 120 and set(piece.split()) == {"word"} for piece in pieces)
    assert [len(piece) for piece in split("一" * 300, segment_max_chars=128)] == [100, 100, 100]


CODE = "```sh\nmake demo. Then wait.\n\n# No heading\nmake test\n```"
TABLE = ["| Berth | Depth |", "| --- | --- |", "| North quay. A. | 9.5 m |", "| South quay | 7 m. Low. |"]


def test_code_and_rows_are_blocks_of_their_own() -> None:
    text = "\n".join(["It runs so:", CODE, "It has berths. Two of them:", *TABLE, "So it is."])
    assert [sentence for _, sentence in find_sentences(text)] == [
        "It runs so:",
        CODE,
        "It has berths.",
        "Two of them:",
        *TABLE,
        "So it is.",
    ]
    assert split(text) == [
        "It runs so:",
        CODE,
        "It has berths.",
        "Two of them:",
        "\n".join(TABLE[:3]),
        *TABLE[3:],
        "So it is.",
    ]
    assert [sentence for _, sentence in find_sentences("```\nNo end. Of it.\n\nText.")][-1] == "Text."


def test_long_code_is_cut_at_the_ends_of_lines() -> None:
    lines = [f"step {number} of them" for number in range(40)]
    pieces = split("\n".join(["```", *lines, "```"]), segment_max_chars=200)
    assert all(len(piece) <= 200 for piece in pieces)
    assert "\n".join(pieces).split("\n") == ["```", *lines, "```"]


def test_long_code_is_cut_at_blank_lines_first() -> None:
    parts = ["\n".join(f"step {number} of {part}" for number in range(6)) for part in ("one", "two", "three")]
    assert split("\n\n".join(["```\n" + parts[0], parts[1], parts[2] + "\n```"]), segment_max_chars=100) == [
        f"```\n{parts[0]}",
        parts[1],
        f"{parts[2]}\n```",
    ]


@pytest.mark.parametrize("segment", ["sentence", "paragraph", 8])
def test_a_program_is_cut_at_blank_lines(segment: str | int) -> None:
    text = "# Not a heading\nimport os\n\n\ndef f(x):\n    return x. y. z\n\n| no | row |\n- item"
    recipe = Recipe().replace(segment=segment, segment_min_chars=0)
    document = Document(text, "t", "t.py")
    assert not document.is_prose
    segments = split_document(document, recipe)
    check(document, segments, recipe)
    assert [segment.text for segment in segments] == text.replace("\n\n\n", "\n\n").split("\n\n")


def test_spacy_is_used_on_request(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    # An abbreviation that the rules know and spaCy's does not: proof that it is the one that splits.
    text = "Hrsg. Meyer came. He left."
    assert split(text) == ["Hrsg. Meyer came.", "He left."]
    splitter = f"spacy:{tmp_path / 'pipeline'}"
    assert split(text, splitter=splitter) == ["Hrsg.", "Meyer came.", "He left."]
    assert split(f"{text}\n{CODE}", splitter=splitter)[-1] == CODE


def test_a_missing_spacy_pipeline_is_named() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(MissingExtraError, match="python -m spacy download none_sm"):
        split("Some text.", splitter="spacy:none_sm")


def test_without_spacy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtraError, match=r"lift-llm\[spacy\]"):
        split("Some text.", splitter="spacy:en_core_web_sm")
