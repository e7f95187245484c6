"""The notebook's cells run, one after the other, with the embedded model."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


# One answer of so small a model may change with a rounding; of four, two and more stay.
RIGHT = ("Jerez", "Alvaro Picardo", "1929", "Madrid")


def right(answers: str) -> int:
    """How many of the four answers, a line each, are right."""
    lines = [line for line in answers.splitlines() if line.startswith("- ")]
    return sum(wanted in line for wanted, line in zip(RIGHT, lines, strict=True))


@pytest.mark.integration
def test_the_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    shown = capsys.readouterr().out
    before, after = shown.partition("before:")[2].partition("after:")[::2]
    assert right(before) <= 1
    assert right(after) >= 2, after
    assert "steps" in shown
    assert (tmp_path / "adapters" / "picardo" / "lift.json").exists()
