"""What pandoc reads."""

import sys
from pathlib import Path

import pytest

from lift.document import read_document
from lift.errors import DocumentError, LiftWarning, MissingExtraError

pypandoc = pytest.importorskip("pypandoc")

PAPER = r"""
\documentclass{article}
\newcommand{\mill}{\textsc{Mill}}
\title{Grinding at Night}
\author{Ann Author}
\begin{document}
\maketitle
\begin{abstract}
We present \mill, which grinds~\cite{stone2019}.
\end{abstract}
\section{Introduction}\label{sec:intro}
% nobody reads this
As \citet{wheel2020} says \emph{often} \citep{stone2019,dam}, see Section~\ref{sec:intro}.
The power is $P = \rho g Q h$.\footnote{In summer.}
\begin{itemize}
\item Water comes in.
\item It goes out.
\end{itemize}
\begin{tabular}{lr}Stone & Weight\\\hline Upper & 900\\\end{tabular}
\begin{verbatim}
x = {1}
\end{verbatim}
\includegraphics{mill.png}
\input{secret}
\bibliography{refs}
\end{document}
"""
READ = """\
# Grinding at Night

We present MILL, which grinds.

# Introduction

As wheel2020 says often, see Section 1. The power is $P = \\rho g Q h$.

In summer.

- Water comes in.

- It goes out.

| Stone | Weight |
|:------|-------:|
| Upper |    900 |

    x = {1}
"""
# What `pandoc` writes for the tests of other formats.
SOURCE = """\
---
title: The crane
---

# Parts

Its *jib* is 9 m long; see [the shop](https://example.org/shop).

## Hooks

There are `two` hooks.[^1]

[^1]: One is spare.
"""


def test_a_paper_in_latex(tmp_path: Path) -> None:
    path = tmp_path / "paper.tex"
    path.write_text(PAPER, encoding="utf-8")
    (tmp_path / "secret.tex").write_text("Not for you.", encoding="utf-8")
    document = read_document(path)
    assert document.title == "Grinding at Night"
    assert document.text.strip() == READ.strip()


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".dbk", "docbook"),
        (".fb2", "fb2"),
        (".mediawiki", "mediawiki"),
        (".odt", "odt"),
        (".org", "org"),
        (".rtf", "rtf"),
        (".tex", "latex"),
        (".textile", "textile"),
    ],
)
def test_every_format(suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"crane{suffix}"
    pypandoc.convert_text(SOURCE, to=kind, format="markdown", outputfile=str(path), extra_args=["--standalone"])
    document = read_document(path)
    text = document.text
    # The other two have no place for a title.
    assert document.title == ("Parts" if suffix in (".mediawiki", ".textile") else "The crane")
    lines = [line.lstrip("# ") for line in text.splitlines() if line]
    told = ["Parts", "Its jib is 9 m long; see the shop.", "Hooks", "There are two hooks."]
    assert [line for line in lines if line in told] == told
    if suffix != ".rtf":  # pandoc itself reads no footnotes there
        assert "One is spare." in lines
    assert "example.org" not in text


def test_the_marks_of_a_task_list(tmp_path: Path) -> None:
    path = tmp_path / "notes.org"
    path.write_text("#+TITLE: Notes\n* TODO Grease the wheel :mill:\nIt /squeaks/.\n", encoding="utf-8")
    assert read_document(path).text.split() == "# Notes # Grease the wheel It squeaks.".split()


def test_rtf_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "mill.txt"
    path.write_bytes(rb"{\rtf1\ansi The mill has {\b two} stones, both from M\'fcnster.}")
    assert read_document(path).text.strip() == "The mill has two stones, both from Münster."


def test_what_pandoc_does_not_understand_is_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "odd.tex"
    path.write_text("The mill stands.\n\\def\\x#1 #2\\relax{#1} % plain TeX\n\\begin{itemize} }\n", encoding="utf-8")
    with pytest.warns(LiftWarning, match=r"odd.tex is read as plain text, .*: Error at \(line \d+, column \d+\)"):
        assert read_document(path).text.startswith("The mill stands.\n\\def")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.odt", b"The mill.", "is no ODT file"),
        ("a.odt", b"PK\x03\x04" + bytes(100), "cannot read .* as ODT"),
        ("a.rtf", b"The mill.", "is no RTF file"),
        ("a.rtf", rb"{\rtf1 The mill", "cannot read .* as RTF"),
        ("a.tex", bytes(range(256)), "binary"),
    ],
)
def test_damaged_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        read_document(tmp_path / name)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "paper.tex"
    path.write_text(PAPER, encoding="utf-8")
    monkeypatch.setattr(pypandoc, "_ensure_pandoc_path", _no_pandoc)
    with pytest.raises(MissingExtraError, match=r"lift-llm\[pandoc\]"):
        read_document(path)
    monkeypatch.setitem(sys.modules, "pypandoc", None)
    with pytest.raises(MissingExtraError, match=r"lift-llm\[pandoc\]"):
        read_document(path)


def _no_pandoc() -> None:
    raise OSError("No pandoc was found")
