"""What the rows of tables say."""

from lift.synthesis.tables import Row, find_rows


def test_rows_have_their_columns_names() -> None:
    blocks = [
        "A sentence.",
        "| Berth | Depth |  |",
        "| :--- | ---: | --- |",
        "| North quay | 9.5 m | deep |",
        "| South quay | | shallow | more |",
        "| | 3 m | |",
        "| Alone | | |",
        "A sentence.",
        "| No | names |",
    ]
    assert find_rows(blocks) == [
        None,
        None,
        None,
        Row("North quay", "Berth: North quay; Depth: 9.5 m; deep"),
        Row("South quay", "Berth: South quay; shallow; more"),
        None,
        None,
        None,
        Row("No", "No; names"),
    ]
    assert find_rows([]) == []


def test_a_table_after_another_one() -> None:
    table = ["| a | b |", "|---|---|", "| c | d |"]
    other = ["| e | f |", "|---|---|", "| g | h |"]
    assert find_rows(table + other)[2::3] == [Row("c", "a: c; b: d"), Row("g", "e: g; f: h")]
