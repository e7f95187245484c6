"""reStructuredText, with what Sphinx adds to it."""

from pathlib import Path

import pytest

from lift.document import read_document
from lift.formats.rst import page_of_rst

pytest.importorskip("markitdown")
pytest.importorskip("docutils")

MANUAL = """\
.. _crane:

The crane
=========

.. contents::
.. toctree::
   :maxdepth: 2

   parts

Its *jib* is 9 m long; see :ref:`the parts <parts>`, :class:`~crane.parts.Jib` and :pep:`8`.

.. note::

   It **never** sleeps.

.. versionadded:: 2.1
   A second hook.

Lifting
-------

.. py:function:: lift(load, height=3)
   :noindex:

   Lift a *load*. ``None`` is lifted as well.

   :param load: what is lifted

.. code-block:: python
   :linenos:

   lift("stone")  # *no emphasis*

.. code-block:: rst

   .. code:: c

======  =====
Part    Made of
======  =====
jib     oak
======  =====

jib
    The arm of the crane.

.. unheard-of:: of words
   :option: value

   Its text is read.

An |unknown| thing and a `broken link`_.
"""


def test_a_manual(tmp_path: Path) -> None:
    path = tmp_path / "crane.rst"
    path.write_text(MANUAL, encoding="utf-8")
    document = read_document(path)
    assert document.title == "The crane"
    assert document.text.split("\n\n") == [
        "# The crane",
        "Its jib is 9 m long; see the parts, Jib and PEP 8.",
        "Note",
        "It never sleeps.",
        "Added in version 2.1",
        "A second hook.",
        "## Lifting",
        "lift(load, height=3)",
        "Lift a load. None is lifted as well.",
        "param load:",
        "what is lifted",
        '```\nlift("stone")  # *no emphasis*\n```',
        "```\n.. code:: c\n```",
        "| Part | Made of |\n| --- | --- |\n| jib | oak |",
        "jib",
        "The arm of the crane.",
        "of words",
        "Its text is read.",
        "An |unknown| thing and a broken link_.",
    ]


def test_formulas_stay_as_they_are() -> None:
    page, title = page_of_rst("Where :math:`E=mc^2` is.\n\n.. math::\n\n   \\frac{a}{b}\n   ^^^\n")
    assert b"E=mc^2" in page
    assert rb"\frac{a}{b}" in page
    assert title is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["``a ", "`a <b ", ".. a:: ", "|a ", ":a:`b "])
def test_what_never_ends_takes_no_longer(piece: str) -> None:
    assert b"a" in page_of_rst(f"a {piece * 2000}")[0]
