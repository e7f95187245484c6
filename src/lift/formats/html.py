"""Web pages: the part that is the text, without menus."""

from __future__ import annotations

from typing import Final

__all__ = ["main_part"]

_MENUS: Final = ("nav", "footer")


def main_part(data: bytes) -> bytes:
    """The page with nothing in its body but what it marks as its main part or its only article, and without menus.

    Raises:
        ImportError: BeautifulSoup is not installed.
    """
    from bs4 import BeautifulSoup

    page = BeautifulSoup(data, "html.parser")
    for menu in page(_MENUS):
        menu.decompose()
    parts = page("main") or page("article")
    if page.body and len(parts) == 1 and parts[0].get_text(strip=True):
        main = parts[0].extract()
        page.body.clear()
        page.body.append(main)
    return page.encode()
