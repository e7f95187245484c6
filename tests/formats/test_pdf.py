"""PDF files as a text."""

import pytest

from lift.formats.pdf import pdf_text
from tests.test_document import pdf

pytest.importorskip("pypdfium2")

LONG = "The old mill by the river was built by Anna Berg in the year"


def text_of(*pages: str) -> str:
    return pdf_text(pdf(*pages))[0]


def test_paragraphs_and_headings() -> None:
    lines = [
        "The mills",
        "of Jerez",
        LONG,
        "1912. It stood for sixty years.",
        "After that year there was nothing to be seen of it, and then the",
        "Bergs left.",
        "2.1 What is left",
        "stones, which lie in the river still, and which nobody has moved;",
        "• a wheel,",
        "• two stones.",
        "It was, in the words of those who lived there, the very last of",
        "Jerez.",
        "3 The owners",
        LONG,
    ]
    assert text_of("\n".join(lines)) == "\n".join(
        [
            "The mills",
            "of Jerez\n",
            f"{LONG} 1912. It stood for sixty years.\n",
            "After that year there was nothing to be seen of it, and then the Bergs left.\n",
            "2.1 What is left\n",
            "stones, which lie in the river still, and which nobody has moved;",
            "- a wheel,",
            "- two stones.\n",
            "It was, in the words of those who lived there, the very last of Jerez.\n",
            "3 The owners\n",
            LONG,
        ]
    )


def test_lines_that_were_joined_over_a_hyphen_do_not_make_others_short() -> None:
    lines = [LONG, "It is said that it was built on the land that belonged to Jerez", LONG] * 3
    twice = f"{LONG} before the flood"
    assert text_of("\n".join([*lines, twice, *lines])) == " ".join([*lines, twice, *lines])


def test_a_heading_after_a_full_line() -> None:
    assert text_of(f"{LONG} she died.\nThe owners\n{LONG} 1912.") == f"{LONG} she died.\n\nThe owners\n\n{LONG} 1912."


def test_sentences_go_on_over_pages() -> None:
    """Without running heads and page numbers; the first page's head may be the title."""
    heads = ["The mills of Jerez", "8 The mills of Jerez", "Chapter 2: Owners 9", "10 The owners", "Chapter 3: Now 11"]
    heads += ["12 What is left", "Chapter 4: Stones 13"]
    told = [f"{LONG}\n{1912 + number}, and it was once more repaired by her in the very year" for number in range(7)]
    pages = [f"{head}\n{text}\n{number + 7}" for number, (head, text) in enumerate(zip(heads, told, strict=True))]
    assert text_of(*pages) == "The mills of Jerez\n\n" + " ".join(told).replace("\n", " ")


def test_numbers_that_are_no_page_numbers_stay() -> None:
    pages = ["In 1912 it burned.\nIt had 40 rooms", "In 1913 it stood.\nIt had 41 doors", "In 1955 it fell.\nIt had 9"]
    assert text_of(*pages).split() == " ".join(pages).split()


def test_a_heading_with_the_number_of_its_page_stays() -> None:
    pages = [f"The mills of Jerez {number}\n{LONG}\n{LONG}.\nEnd." for number in (1, 2, 3, 4)]
    pages[1] = pages[1].replace(f"2\n{LONG}", "2\n2. The owners")
    assert "2. The owners" in text_of(*pages)
    assert "Jerez 3" not in text_of(*pages)


def test_contents_and_comments() -> None:
    text = text_of(f"2.3 Simple parsing . . . . . . . . . 4\nA list ..... xi\n{LONG}\n# make it")
    assert text == f"{LONG} #make it"


@pytest.mark.parametrize(
    ("title", "found"),
    [("The mills", "The mills"), ("Microsoft Word - mills.doc", None), ("mills.tex", None), ("", None)],
)
def test_the_title(title: str, found: str | None) -> None:
    assert pdf_text(pdf("A text.", title=title))[1] == found


def test_no_pages_and_no_text() -> None:
    assert text_of("") == ""
    with pytest.raises(ValueError, match="Failed to load document"):
        pdf_text(b"%PDF-1.4\ngarbage")
