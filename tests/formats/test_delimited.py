"""CSV and TSV files as a table."""

import pytest

from lift.formats.delimited import markdown_table

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
    assert markdown_table(text) == TABLE


def test_a_single_column() -> None:
    assert markdown_table("Berth\nNorth\n") == "| Berth |\n| --- |\n| North |"
