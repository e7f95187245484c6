"""Markdown without its marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.formats.markdown import without_marks

CODE = "```python\nx = y[0](z) * **w\n\n# **no** heading\n```"
LONG = "The dam keeps the water back. " * 30 + "It is."
INDENTED = "    run *this* [now](x)\n    again"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("The **old** *mill*, ~~new~~ and `a_b*c*`.", "The old mill, new and a_b*c*."),
        ("The [mill](https://x.org/a_(b) \"title\") of [Anna][1].\n\n[1]: https://x.org 'a'\n", "The mill of Anna."),
        ("See <https://example.org>.", "See https://example.org."),
        ("![A crane](crane.png) It lifts.[![badge](a.svg)](b)", " It lifts."),
        ("<p align=center>Made by <b>Anna</b><br>in 1912</p><!-- not\n\nshown -->", "Made by Anna\nin 1912"),
        ("R&amp;D \\_here\\_", "R&D _here_"),
        ("# A *heading* #\n\n> quoted _so_\n\n1. **One**\n* two", "# A heading #\n\nquoted so\n\n1. One\n* two"),
        ("> [!NOTE]\n> It *is*\n> so.\n>\n> > ```\n> > > x\n> > ```", "It is\nso.\n\n```\nx\n```"),
        (">>> x = 1", ">>> x = 1"),
        ("Dam\n:   It *keeps*\n    the water.", "Dam\n\nIt keeps\nthe water."),
        ("| `a` | **b** |\n| --- | --- |\n| c | [d](e) |", "| a | b |\n| --- | --- |\n| c | d |"),
        ("[ ] open, 5 * 3 * 2, snake_case_name, [in brackets]", "[ ] open, 5 * 3 * 2, snake_case_name, [in brackets]"),
        ("The *mill*\n======\n\nOld\n---\nIt is.\n\n* * *\n- one\n---", "# The mill\n\n## Old\nIt is.\n\n\n- one"),
        ("---\ntitle: *x*\n---\n*It* is.", "---\ntitle: *x*\n---\nIt is."),
        ("---\n# About\n\ntitle: *x*\n---\n*It* is.", "---\n# About\n\ntitle: *x*\n---\nIt is."),
        ("---\n*It* is.\n\n---\n*So*.", "\nIt is.\n\n\nSo."),
        ("It *is*.[^1] So[^b], too.\n\n[^1]: In *May*.\n[^b]: https://x.org/y\n", "It is. So, too.\n\nIn May."),
        ("`[^a-z]` and [^1]", "[^a-z] and [^1]"),
        ("| a |\n| --- |\n| b |", "| a |\n| --- |\n| b |"),
        ("| a |\n| --- |\n| `b<br/>c` \\| *d*<br>e |", "| a |\n| --- |\n| b c / d e |"),
        # What a long row says are sentences.
        (
            f"It is:\n| Part | Use |\n|---|---|\n| dam | {LONG} |\n| wheel | |\nSo.",
            f"It is:\nPart: dam; Use: {LONG}\n\nPart: wheel\n\nSo.",
        ),
        (f"|  |  |\n| --- | --- |\n| Home | *{LONG}* |", f"Home\n\n{LONG}"),
        (f"| a | b |\n| c | {LONG} |", f"a\n\nb\n\nc\n\n{LONG}"),
        (f"| a{' ' * 900}|\n|{'-' * 900}|\n", f"| a{' ' * 900}|\n|{'-' * 900}|"),
        ("[Anna]: What about it?\n[Ben]: Yes.", "[Anna]: What about it?\n[Ben]: Yes."),
        # Code and formulas are left alone.
        (f"a *b*\n\n{CODE}\n*c*", f"a b\n\n{CODE}\nc"),
        (f"It is:\n\n{INDENTED}\n\nThen *stop*.", f"It is:\n\n{INDENTED}\n\nThen stop."),
        ("So $\\{x_1\\}_i$ is *it*; `$A` and `$B\\_`.", "So $\\{x_1\\}_i$ is it; $A and $B\\_."),
        ("$$\na\\_b\n\n\\{c\\}\n$$", "$$\na\\_b\n\n\\{c\\}\n$$"),
    ],
)
def test_what_is_left(markdown: str, text: str) -> None:
    assert without_marks(markdown).rstrip("\n") == text


@given(st.text(st.sampled_from("ab \n.,äé1"), max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert without_marks(text) == text


@given(st.text(st.sampled_from("ab *_`~[]!.\n#-"), max_size=60))
def test_words_are_kept(text: str) -> None:
    """Without targets, tags and images, all letters stay in their order; fences may begin code."""
    assert [c for c in without_marks(text) if c in "ab"] == [c for c in text if c in "ab"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["```a\nx\n", "<!-- a ", "[", "![a](", "*a ", "`a ", "$$ a ", "<a "])
def test_what_never_ends_takes_no_longer(piece: str) -> None:
    assert "a" in without_marks(f"a {piece * 4000}")
