"""Arms: where one ends and the next begins."""

import pytest

from trialscrape import arms

DRUG = {"Drug: A", "Drug: B"}


def read(text: str, groups: int | None, *, complete: bool = True, treatments: set[str] = DRUG) -> arms.Reading:
    return arms.read(text.split("\n"), treatments, groups, complete=complete)


def shape(reading: arms.Reading) -> list[tuple[str, str | None, str | None, list[str]]]:
    return [
        (arm.label, arm.type.label if arm.type else None, arm.description, [each.name for each in arm.interventions])
        for arm in reading.arms
    ]


E, N = "Experimental", "No Intervention"


@pytest.mark.parametrize(
    ("text", "groups", "expected"),
    [
        ("x\nExperimental group\nTreatment:\nDrug: A", 1, [("x", E, None, ["A"])]),
        (
            "x\nExperimental group\nTreatment:\nDrug: A\nDrug: A\ny\nExperimental group\nTreatment:\nDrug: B",
            2,
            [("x", E, None, ["A", "A"]), ("y", E, None, ["B"])],
        ),
        (
            "x\nExperimental group\nTreatment:\nDrug: A\nDrug: A\nExperimental group\nTreatment:\nDrug: B",
            2,
            [("x", E, None, ["A"]), ("Drug: A", E, None, ["B"])],
        ),
        (
            "x\nNo Intervention group\ny\nExperimental group\nTreatment:\nDrug: A",
            2,
            [("x", N, None, []), ("y", E, None, ["A"])],
        ),
        (
            "x\nNo Intervention group\nDescription:\nnothing\ny\nExperimental group\nTreatment:\nDrug: A",
            2,
            [("x", N, "nothing", []), ("y", E, None, ["A"])],
        ),
        (
            "x\nDescription:\nx\nTreatment:\nDrug: A\ny\nTreatment:\nDrug: B",
            2,
            [("x", None, "x", ["A"]), ("y", None, None, ["B"])],
        ),
        (
            "Experimental group\nExperimental group\nDescription:\np\nTreatment:\nDrug: A\nSex\nNo Intervention group",
            2,
            [("Experimental group", E, "p", ["A"]), ("Sex", N, None, [])],
        ),
        (
            "x\nExperimental group\nDescription:\np\nq\nTreatment:\nDrug: A",
            1,
            [("x", E, "p\nq", ["A"])],
        ),
        ("x\nDescription:\np\ny\nTreatment:\nDrug: A", 2, [("x", None, "p", []), ("y", None, None, ["A"])]),
        ("x\nDescription:\np\ny\nTreatment:\nDrug: A", 1, [("x", None, "p\ny", ["A"])]),
        ("x\nExperimental group\nDescription:\np\n\nq\nTreatment:\nDrug: A", 1, [("x", E, "p\n\nq", ["A"])]),
        ("x\nOther group\nTreatment:\nDrug: A", 1, [("x", "Other", None, ["A"])]),
        ("x\ny", 2, [("x", None, None, []), ("y", None, None, [])]),
        ("x\nDescription:\np\ny", 2, [("x", None, "p", []), ("y", None, None, [])]),
        ("x\ny\nDescription:\np", 2, [("x", None, None, []), ("y", None, "p", [])]),
        ("x\nTreatment:\nDrug: A\ny", 2, [("x", None, None, ["A"]), ("y", None, None, [])]),
        (
            "x\nExperimental group\nTreatment:\nDrug: C\nG 2: y\nExperimental group\nTreatment:\nDrug: A",
            2,
            [("x", E, None, ["C"]), ("G 2: y", E, None, ["A"])],
        ),
        ("", 2, []),
    ],
)
def test_one_reading(text: str, groups: int, expected: list[object]) -> None:
    reading = read(text, groups)
    assert shape(reading) == expected
    assert (reading.decided != "choice") == (len(expected) == groups)
    assert reading.unlisted == ((3,) if "Drug: C" in text else ())


def test_two_readings_are_told() -> None:
    reading = read("x\nDescription:\np\nq\nTreatment:\nDrug: A\ny\nDescription:\np\nq\nTreatment:\nDrug: B", 3)
    assert len(reading.arms) == 3
    assert reading.decided == "choice"


def test_an_unlisted_treatment_is_read_and_told() -> None:
    reading = read("x\nExperimental group\nTreatment:\nDrug: C\ny\nExperimental group\nTreatment:\nDrug: A", 2)
    assert shape(reading) == [("x", E, None, ["C"]), ("y", E, None, ["A"])]
    assert reading.unlisted == (3,)


def test_a_count_that_no_reading_has() -> None:
    reading = read("x\nExperimental group\nTreatment:\nDrug: A", 3)
    assert shape(reading) == [("x", E, None, ["A"])]
    assert reading.decided == "lines"


def test_without_a_count_the_fewest_arms_are_read() -> None:
    reading = read("x\nDescription:\np\ny\nTreatment:\nDrug: A", None)
    assert shape(reading) == [("x", None, "p\ny", ["A"])]
    assert reading.decided == "choice"


@pytest.mark.parametrize(
    ("text", "expected", "used"),
    [
        ("x\nExperimental group\nTreatment:\nDrug: A\n\nTria", [("x", E, None, ["A"])], 4),
        ("x\nExperimental group\nDescription:", [("x", E, None, [])], 3),
        ("x\nExperimental group\nDescription:\nhalf a sen", [("x", E, "half a sen", [])], 4),
        ("x\nExperimental group\nTreatment:\nDrug: A\nDrug: B\ny", [("x", E, None, ["A", "B"])], 5),
        ("x\nExperimental group\nTreatment:", [("x", E, None, [])], 3),
        ("x\nExperimental grou", [], 0),
    ],
)
def test_a_cut_block_is_read_as_far_as_it_goes(text: str, expected: list[object], used: int) -> None:
    reading = read(text, 2, complete=False)
    assert shape(reading) == expected
    assert reading.used == used


ARM = "x\nExperimental group\nTreatment:\nDrug: A\n"


@pytest.mark.parametrize("odd", ["junk", "y\nExperimental group\nTreatment:\nTreatment:"])
def test_what_comes_before_an_odd_line_is_read_all_the_same(odd: str) -> None:
    reading = read(ARM + odd, 2)
    assert shape(reading)[0] == ("x", E, None, ["A"])
    assert 4 <= reading.used < 4 + odd.count("\n") + 1


@pytest.mark.parametrize("empty", ["y\nExperimental group\nTreatment:", "y\nExperimental group\nDescription:"])
def test_an_empty_label_is_no_hindrance(empty: str) -> None:
    assert shape(read(ARM + empty, 2)) == [("x", E, None, ["A"]), ("y", E, None, [])]


def test_lines_that_are_no_arms_are_left() -> None:
    assert read("just\nsome\nprose", 2) == arms.Reading((), 0, (), "lines", (), ())
    assert read("x\nExperimental group\n\njust prose", 1).used == 2


@pytest.mark.parametrize("line", ["x", "Experimental group", "Description:", "Treatment:", "Drug: A"])
def test_hostile_blocks_end(line: str) -> None:
    """A reading that is not linear in the lines would take hours here."""
    assert read("\n".join([line] * 100_000), 1_000).used <= 100_000
    block = ["x", "Experimental group", "Description:", line, "Treatment:", "Drug: A"] * 20_000
    assert len(read("\n".join(block), 20_000).arms) <= arms.MAX_LINES
