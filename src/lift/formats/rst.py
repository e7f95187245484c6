"""reStructuredText as a web page: what Sphinx adds to it is read as far as it is text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["page_of_rst"]

_DIRECTIVE: Final = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w][\w:+.-]*)::", re.MULTILINE)
# Sphinx gives these options that docutils does not know, or they would show what no reader needs: read under another
# name, which examples in the text get as well, for the time.
_OTHERS: Final = "code-block|code|contents|sourcecode"
_OURS: Final = "lift-"
_TO_RENAME: Final = re.compile(rf"^([ \t]*\.\.[ \t]+)(?=(?:{_OTHERS})::)", re.MULTILINE)
_RENAMED: Final = re.compile(rf"{_OURS}(?=(?:{_OTHERS})::)")
_ROLE: Final = re.compile(r":([\w][\w:+.-]*):`|`:([\w][\w:+.-]*):")
# They place things, or describe what is read elsewhere.
_NO_TEXT: Final = re.compile(
    r"(?:\w+:)?(?:auto\w+|c?current\w*|default-\w+|graphviz|highlight|html-page-context|index\w*"
    r"|inheritance-diagram|lift-contents|(?:literal)?include|meta|module|moduleauthor|plot|raw|sectionauthor|tabularcolumns"
    r"|toctree)"
)
_CODE: Final = re.compile(r"(?:[\w-]*code[\w-]*|productionlist|prompt|testcode|testoutput|testsetup|doctest)")
_VERSIONS: Final = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "versionremoved": "Removed in version",
    "deprecated": "Deprecated since version",
}
# "title <target>"
_TARGET: Final = re.compile(r"(.+?)\s*<[^<>]*>", re.DOTALL)
_SETTINGS: Final = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "math_output": "LaTeX",
    "raw_enabled": False,
    "report_level": 5,
    "smart_quotes": False,
    "syntax_highlight": "none",
}


def page_of_rst(text: str) -> tuple[bytes, str | None]:
    """The page that a file's text is, and its title.

    Raises:
        ImportError: docutils is not installed.
    """
    from docutils.core import publish_parts

    text = _TO_RENAME.sub(rf"\1{_OURS}", text)
    _learn(text)
    parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    return _RENAMED.sub("", parts["html_body"]).encode(), parts["title"] or None


def _learn(text: str) -> None:
    """Teach docutils the directives and roles of `text` that it does not know."""
    from docutils.languages import get_language
    from docutils.parsers.rst import directives, roles
    from docutils.utils import new_document

    document, english = new_document("names"), get_language("en")
    document.reporter.report_level = 4  # unknown names are no news
    for name in set(_DIRECTIVE.findall(text)):
        if directives.directive(name, english, document)[0] is None:
            directives.register_directive(name, _directive(name))
    for name in {name for names in _ROLE.findall(text) for name in names if name}:
        if roles.role(name, english, 0, document.reporter)[0] is None:
            roles.register_local_role(name, _role)


def _directive(name: str) -> type[Any]:
    from docutils import nodes
    from docutils.parsers.rst import Directive, directives

    class _Options(dict[str, Callable[[str], Any]]):
        """Any option whatever."""

        def __bool__(self) -> bool:  # docutils looks for options where there are some
            return True

        def __missing__(self, option: str) -> Callable[[str], Any]:
            return directives.unchanged

    class _Unknown(Directive):
        """What is below it, after what it is said to be about ("function:: open(path)")."""

        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True
        option_spec = _Options()

        def run(self) -> list[Any]:
            if _NO_TEXT.fullmatch(name):
                return []
            if _CODE.fullmatch(name):
                return [nodes.literal_block("\n".join(self.content), "\n".join(self.content))]
            about = f"{_VERSIONS.get(name, '')} {' '.join(self.arguments)}"
            inside = nodes.container()
            self.state.nested_parse(self.content, self.content_offset, inside)
            return [*(nodes.paragraph("", line) for line in about.strip().splitlines()), *inside.children]

    return _Unknown


def _role(name: str, rawtext: str, text: str, *_: Any, **__: Any) -> tuple[list[Any], list[Any]]:
    from docutils import nodes

    shown = _TARGET.fullmatch(text)
    words = shown[1] if shown else text.removeprefix("!")
    if words.startswith("~"):
        words = words.rpartition(".")[2]
    return [nodes.inline(rawtext, words)], []
