"""The notebook's cells run, one after the other, with the embedded model."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


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
    assert "1919" in shown.partition("after:")[2]
    assert "1919" not in shown.partition("before:")[2].partition("after:")[0]
    assert "steps" in shown
    assert (tmp_path / "adapters" / "picardo" / "lift.json").exists()
