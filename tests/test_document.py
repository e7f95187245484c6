import io
import sys
import warnings
import zipfile
from pathlib import Path

import pytest

from lift.document import Document, normalise, read_document
from lift.errors import DocumentError, DocumentNotFoundError, LiftWarning, MissingExtraError
from tests.conftest import EXAMPLE


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_plain_text_is_left_as_it_is() -> None:
    document = read_document(EXAMPLE / "picardo.txt")
    assert document.text == (EXAMPLE / "picardo.txt").read_text(encoding="utf-8")
    assert document.title == "picardo"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_detected(tmp_path: Path, encoding: str) -> None:
    text = "Señor Álvaro vivía en Cádiz, una ciudad española junto al mar; allí pasó toda su niñez. " * 5
    assert read_document(write(tmp_path / "a.txt", text.encode(encoding))).text == text


def test_normalisation() -> None:
    assert normalise("\ufeffa\r\nb\rc\fd\x00e\u00adf\u200b cafe\u0301") == "a\nb\nc\n\ndef café"
    assert normalise("a\u2028b\x85c\u2029d\r\r\ne") == "a\nb\nc\n\nd\n\ne"
    assert normalise("5\u00a0km\tto\u2009the\u3000north\u202f!\n") == "5 km\tto the north !\n"


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a_b.txt", "Just text. And more.", "a b"),
        ("a.txt", "A short first line\n\nThen the text goes on.", "A short first line"),
        ("a.txt", "A first sentence.\n\nThen the text goes on.", "a"),
        ("a.md", "Intro\n\n# The Heading #\n\nText.", "The Heading"),
        ("a.md", "```sh\n# A comment\nmake\n```\n## The Heading\nText.", "The Heading"),
        ("a.md", '---\ntitle: "From the front"\nx: 1\n---\n# Other\n', "From the front"),
    ],
)
def test_titles(tmp_path: Path, name: str, text: str, title: str) -> None:
    path = write(tmp_path / name, text)
    assert read_document(path).title == title
    assert read_document(path, title="Given").title == "Given"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"\x7fELF\x00\x01\x02" * 50, "binary"),
        (bytes(range(256)), "binary"),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_document(write(tmp_path / "a.txt", content))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DocumentNotFoundError, match="no document at"):
        read_document(tmp_path / "none.txt")
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "none.txt")
    with pytest.raises(DocumentNotFoundError, match="an address: download the file"):
        read_document("https://example.org/report.pdf")
    with pytest.raises(DocumentError, match="holds no file that can be read"):
        read_document(tmp_path)


def test_an_empty_string_is_no_document() -> None:
    with pytest.raises(DocumentError, match="empty"):
        Document.from_text(" \n", "x")


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF that shows the lines of each of `pages`."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in page.split("\n"))
        stream = f"BT /F1 12 Tf 72 720 Td {shown}ET" if page else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    objects.append(f"<< /Title ({title}) >>")
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252"))
    start = out.tell()
    size = len(objects) + 1
    out.write(f"xref\n0 {size}\n0000000000 65535 f \n".encode())
    out.writelines(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    out.write(f"trailer << /Size {size} /Root 1 0 R /Info {size - 1} 0 R >>\nstartxref\n{start}\n%%EOF".encode())
    return out.getvalue()


def docx(paragraphs: list[str]) -> bytes:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return archive(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument'
            '.wordprocessingml.document.main+xml"/></Types>',
            "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
        }
    )


def epub(title: str, text: str) -> bytes:
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "c.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
            '<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="a"/></spine></package>',
            "a.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{text}</p></body></html>',
        }
    )


def archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


class TestRichFormats:
    @pytest.fixture(autouse=True)
    def reader(self) -> None:
        pytest.importorskip("markitdown")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.pdf", pdf("The bridge was opened in 1932.")),
            ("no-suffix", pdf("The bridge was opened in 1932.")),
            ("a.docx", docx(["The bridge was opened in 1932.", "Then it rained."])),
            (
                "a.html",
                b"<html><head><title>Bridges</title></head><body><p>The bridge was opened in 1932.</p></body></html>",
            ),
            ("a.epub", epub("Bridges", "The bridge was opened in 1932.")),
            (
                "a.ipynb",
                b'{"cells": [{"cell_type": "markdown", "source": ["The *bridge* was opened in 1932."]}],'
                b' "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            ),
            ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nThe bridge was opened\n\n00:02.000 --> 00:03.000\nin 1932."),
            ("a.srt", b"1\r\n00:00:01,000 --> 00:00:02,000\r\nThe bridge was opened in 1932.\r\n"),
        ],
        ids=["pdf", "pdf by content", "docx", "html", "epub", "ipynb", "vtt", "srt"],
    )
    def test_the_text_is_read(self, tmp_path: Path, name: str, content: bytes) -> None:
        text = read_document(write(tmp_path / name, content)).text
        assert "The bridge was opened in 1932." in " ".join(text.split())

    def test_the_title_in_the_metadata(self, tmp_path: Path) -> None:
        page = b"<html><head><title>Bridges</title></head><body><h1>Other</h1><p>Text.</p></body></html>"
        assert read_document(write(tmp_path / "a.html", page)).title == "Bridges"

    def test_links_and_emphasis_are_left_out(self, tmp_path: Path) -> None:
        page = b'<p>The <a href="/b">bridge</a> of <b>Rota</b>.<img src="data:image/png;base64,AA" alt="x"></p>'
        assert read_document(write(tmp_path / "a.html", page)).text == "The bridge of Rota."

    def test_a_scan_is_said_to_be_one(self, tmp_path: Path) -> None:
        with pytest.raises(DocumentError, match=r"no text.*OCR"):
            read_document(write(tmp_path / "scan.pdf", pdf("")))

    @pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.epub"])
    def test_a_file_that_is_not_what_its_name_says(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(DocumentError, match="whatever its name says"):
            read_document(write(tmp_path / name, b"Just text."))

    @pytest.mark.parametrize(
        ("name", "start"), [("a.pdf", b"%PDF-1.4\n"), ("a.docx", b"PK\x03\x04"), ("a.epub", b"PK\x03\x04")]
    )
    def test_a_damaged_file(self, tmp_path: Path, name: str, start: bytes) -> None:
        with pytest.raises(DocumentError):
            read_document(write(tmp_path / name, start + b"garbage" * 20))


def test_slides(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Bridges", "The bridge was opened in 1932."
    slides.save(tmp_path / "a.pptx")
    document = read_document(tmp_path / "a.pptx")
    assert document.text.strip() == "# Bridges\nThe bridge was opened in 1932."
    assert document.title == "Bridges"


def test_marks_are_left_out_of_markdown_alone(tmp_path: Path) -> None:
    text = "# The *mill*\r\n\r\nIt is [old](https://example.org)."
    assert read_document(write(tmp_path / "a.md", text)).text == "# The mill\n\nIt is old."
    assert read_document(write(tmp_path / "a.md", text)).title == "The mill"
    assert read_document(write(tmp_path / "a.txt", text)).text == text.replace("\r", "")


def test_a_folder(tmp_path: Path) -> None:
    """Every file below its name, programs as code; what is hidden, empty or no text is left out."""
    folder = tmp_path / "mill.js"
    for name in ("b", ".git", "node_modules"):
        (folder / name).mkdir(parents=True)
        write(folder / name / "c.txt", "The end.")
    write(folder / "B.md", "# The *mill*\n\nIt is old.")
    write(folder / "a.py", 'x = """\n```\n"""\n')
    write(folder / "empty.txt", "")
    (folder / "back").symlink_to(folder, target_is_directory=True)
    (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = read_document(folder)
    code = '````\nx = """\n```\n"""\n````'
    assert document.text == f"# B.md\n\n# The mill\n\nIt is old.\n\n# a.py\n\n{code}\n\n# b/c.txt\n\nThe end."
    assert (document.title, document.is_prose, document.source) == ("mill.js", True, f"{folder}/")
    assert read_document(folder, "The mill").title == "The mill"
    for number in range(6):
        write(folder / f"image{number}.png", b"\x00\x01")
    with pytest.warns(LiftWarning, match=r"6 files are no text and left out \(image0.png, .*image4.png, \.\.\.\)"):
        assert read_document(folder).text == document.text


def test_a_csv_file_is_a_table(tmp_path: Path) -> None:
    document = read_document(write(tmp_path / "berths.csv", "\ufeffBerth;Depth\r\nNorth;9.5 m\r\nSouth;7 m\r\n"))
    assert document.text == "| Berth | Depth |\n| --- | --- |\n| North | 9.5 m |\n| South | 7 m |"
    assert (document.title, document.is_prose) == ("berths", True)


@pytest.mark.parametrize(
    ("name", "prose"), [("a.py", False), ("refs.bib", False), ("a.JSON", False), ("a.md", True), ("a", True)]
)
def test_what_is_prose(tmp_path: Path, name: str, prose: bool) -> None:
    assert read_document(write(tmp_path / name, "x = 1")).is_prose is prose
    assert Document.from_text("x = 1", "t").is_prose


def test_subtitles_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("webvtt")
    with pytest.raises(DocumentError, match=r"cannot read .*a\.srt as SRT: Invalid format"):
        read_document(write(tmp_path / "a.srt", "Just text."))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.html", "a.epub", "a.vtt", "a.rst"])
def test_without_the_reader_the_error_names_the_extra(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "markitdown", None)
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    monkeypatch.setitem(sys.modules, "webvtt", None)
    monkeypatch.setitem(sys.modules, "docutils.core", None)
    content = {"a.pdf": pdf("x"), "a.html": b"<p>x</p>", "a.vtt": b"WEBVTT", "a.rst": b"The mill"}.get(
        name, b"PK\x03\x04"
    )
    with pytest.raises(MissingExtraError, match=r"lift-llm\[documents\]"):
        read_document(write(tmp_path / name, content))
