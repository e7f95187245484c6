"""CSV and TSV files as a table."""

import pytest

from lift.formats.delimited import markdown_of_rows

TABLE = "| Berth | Depth |\n| --- | --- |\n| North, quay | 9.5 m |\n| South / East | 7 m |"


@pytest.mark.parametrize(
    "text",
    [
        'Berth,Depth\n"North, quay",9.5 m\n\nSouth | East,7 m\n',
        "Berth;Depth\nNorth, quay;9.5 m\nSouth | East;7 m\n",
        'Berth\tDepth\n"North,\nquay"\t9.5 m\nSouth | East\t7 m',
    ],
    ids=["commas", "semicolons", "tabs"],
)
def test_a_table(text: str) -> None:
    assert markdown_of_rows(text) == TABLE


def test_a_single_column() -> None:
    assert markdown_of_rows("Berth\nNorth\n") == "| Berth |\n| --- |\n| North |"


def test_long_rows_are_sections() -> None:
    said = "The quay is dry at low water. " * 30
    text = f'Berth,Depth,Remark\nNorth,9.5 m,"{said}"\nSouth,,\n{"Between the two " * 8},7 m,none,left\n'
    assert markdown_of_rows(text).split("\n\n") == [
        "# North",
        f"Depth: 9.5 m; Remark: {said.strip()}",
        "# South",
        f"Berth: {('Between the two ' * 8).strip()}; Depth: 7 m; Remark: none; left",
    ]


def test_rows_of_nothing() -> None:
    assert markdown_of_rows(",,\n , ,\n") == ""
