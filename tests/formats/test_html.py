"""The part of a web page that is its text."""

import pytest

from lift.formats.html import main_part

bs4 = pytest.importorskip("bs4")


def shown(body: str) -> tuple[str, str]:
    page = f"<html><head><title>T</title></head><body>{body}</body></html>"
    read = bs4.BeautifulSoup(main_part(page.encode()), "html.parser")
    return read.title.get_text(), read.body.get_text(" ", strip=True)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "<nav>Home</nav><p>Keys</p><main><h1>Mill</h1><nav>Next</nav><p>Old.</p></main><footer>By</footer>",
            "Mill Old.",
        ),
        ("<div>Keys</div><article>Old.</article>", "Old."),
        ("<article>Old.</article><article>New.</article>", "Old. New."),
        ("<nav>Home</nav><p>Old.</p><footer>By</footer>", "Old."),
        ("<main> </main><div>Old.</div>", "Old."),
    ],
)
def test_what_is_read(body: str, text: str) -> None:
    assert shown(body) == ("T", text)


def test_a_piece_of_a_page() -> None:
    assert main_part(b"<main>Old.</main><p>New.</p>") == b"<main>Old.</main><p>New.</p>"
    assert "Señor" in main_part("<meta charset=latin-1><p>Señor</p>".encode("latin-1")).decode()
