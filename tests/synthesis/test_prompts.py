from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.synthesis.prompts import build_request, window_start


def test_a_request_shows_title_preceding_text_segment_and_count(picardo: Document) -> None:
    recipe = Recipe(tasks_per_segment=7)
    segment = split_document(picardo, recipe)[3]
    request = build_request(picardo, segment, recipe)
    assert "José Luis Picardo" in request.user
    assert picardo.text[: segment.start].strip() in request.user
    assert f"Segment:\n{segment.text}\n" in request.user
    assert request.user.endswith("Write 7 question-answer pairs about the segment.")


def test_braces_in_a_document_are_left_alone() -> None:
    document = Document.from_text("Use {title} and {0} here. And {unclosed there.", "Code {x}")
    segment = Segment(0, 0, len(document.text), document.text)
    assert document.text in build_request(document, segment, Recipe()).user


def test_windows_are_shared_by_neighbours_and_never_too_long(picardo: Document) -> None:
    starts = []
    for segment in split_document(picardo, Recipe()):
        start = window_start(picardo.text, segment.start, 2048)
        length = segment.start - start
        assert length == segment.start if segment.start <= 2048 else 512 <= length <= 2048
        starts.append(start)
    assert starts == sorted(starts)
    assert len(set(starts)) < len(starts) / 4


def test_an_edit_moves_only_the_windows_that_it_lies_in(picardo: Document) -> None:
    words = "An inserted remark. "
    text = picardo.text[:3000] + words + picardo.text[3000:]
    for segment in split_document(picardo, Recipe()):
        if segment.start > 3000 + 2048:
            moved = window_start(text, segment.start + len(words), 2048)
            assert moved == window_start(picardo.text, segment.start, 2048) + len(words)


def test_no_window() -> None:
    assert window_start("some text here", 5, 0) == 5


def test_the_key_depends_on_all_that_is_asked(picardo: Document) -> None:
    segment = split_document(picardo, Recipe())[3]
    key = build_request(picardo, segment, Recipe()).key
    assert key == build_request(picardo, segment, Recipe(generator_temperature=0, generator_concurrency=1)).key
    assert key != build_request(picardo, segment, Recipe(tasks_per_segment=3)).key
    assert key != build_request(Document(picardo.text, "Other"), segment, Recipe()).key
