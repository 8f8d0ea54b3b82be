"""A table of examples for every leaf reader."""

from collections.abc import Callable
from typing import Any

import pytest

from trialscrape import values, vocabulary
from trialscrape.records import Age, Ages, Enrollment, Identifier, Intervention, Participants, Term


def years(low: int | None, high: int | None) -> dict[str, Age | None]:
    return {
        "minimum": None if low is None else Age(value=low, unit="YEARS"),
        "maximum": None if high is None else Age(value=high, unit="YEARS"),
    }


EXAMPLES: list[tuple[Callable[[str], Any], str, object]] = [
    (values.count, "0", 0),
    (values.count, "13", 13),
    (values.count, "1,277", 1277),
    (values.count, "9" * 15, 10**15 - 1),
    (values.count, "999,999,999,999,999", 10**15 - 1),
    (values.enrollment, "32 patients", Enrollment(count=32, type="ACTUAL")),
    (values.enrollment, "1,277 estimated patients", Enrollment(count=1277, type="ESTIMATED")),
    (values.enrollment, "0 patients", Enrollment(count=0, type="ACTUAL")),
    (values.enrollment, "1 patient", Enrollment(count=1, type="ACTUAL")),
    (values.participants, "22 participants in 2 patient groups", Participants(count=22, groups=2, placebo_group=False)),
    (
        values.participants,
        "2,000 participants in 1 patient group",
        Participants(count=2000, groups=1, placebo_group=False),
    ),
    (
        values.participants,
        "32 participants in 4 patient groups, including a placebo group",
        Participants(count=32, groups=4, placebo_group=True),
    ),
    (values.ages, "18+ years old", Ages(label="18+ years old", **years(18, None))),
    (values.ages, "18 to 65 years old", Ages(label="18 to 65 years old", **years(18, 65))),
    (values.ages, "Under 18 years old", Ages(label="Under 18 years old", **years(None, 18))),
    (
        values.ages,
        "Under 1 hour old",
        Ages(label="Under 1 hour old", minimum=None, maximum=Age(value=1, unit="HOURS")),
    ),
    (
        values.ages,
        "24 to 48 hours old",
        Ages(label="24 to 48 hours old", minimum=Age(value=24, unit="HOURS"), maximum=Age(value=48, unit="HOURS")),
    ),
    (values.ages, "35+ weeks old", Ages(label="35+ weeks old", minimum=Age(value=35, unit="WEEKS"), maximum=None)),
    (
        values.ages,
        "1 month to 16 years old",
        Ages(
            label="1 month to 16 years old",
            minimum=Age(value=1, unit="MONTHS"),
            maximum=Age(value=16, unit="YEARS"),
        ),
    ),
    (
        values.ages,
        "Under 14 days old",
        Ages(label="Under 14 days old", minimum=None, maximum=Age(value=14, unit="DAYS")),
    ),
    (values.ages, "No limits", Ages(label="No limits", **years(None, None))),
    (values.ages, "18 years+ years old", Ages(label="18 years+ years old", **years(None, None))),
    (values.ages, "١٨+ years old", Ages(label="١٨+ years old", **years(None, None))),
    (values.healthy_volunteers, "Accepts Healthy Volunteers", True),
    (values.healthy_volunteers, "No Healthy Volunteers", False),
    (values.intervention, "Drug: MSCs", Intervention(type=Term(label="Drug", code="DRUG"), name="MSCs")),
    (
        values.intervention,
        "Other: Experimental: a walk.",
        Intervention(type=Term(label="Other", code="OTHER"), name="Experimental: a walk."),
    ),
    (values.intervention, "Potion: tea", Intervention(type=Term(label="Potion", code=None), name="tea")),
    (values.identifier, "NCT99000001", Identifier(value="NCT99000001", type=None)),
    (
        values.identifier,
        "16454 (Other Identifier)",
        Identifier(value="16454", type=Term(label="Other Identifier", code="OTHER")),
    ),
    (values.identifier, "817/2559(EC1)", Identifier(value="817/2559(EC1)", type=None)),
    (
        values.identifier,
        "A (B) (EudraCT Number)",
        Identifier(value="A (B)", type=values.term("EudraCT Number", "SecondaryIdType")),
    ),
    (values.identifier, "12 (Some New Type)", Identifier(value="12 (Some New Type)", type=None)),
    (values.acronym, "A Study (HUCMSC)", "HUCMSC"),
    (values.acronym, "A Study (SNACKing)", "SNACKing"),
    (values.acronym, "A Study (Psilo101)", "Psilo101"),
    (values.acronym, "A Study (Casa)", "Casa"),
    (values.acronym, "A Study. (RCT)", "RCT"),
    (values.acronym, "A Disease (PKU) (ESSENTIAL)", "ESSENTIAL"),
    (values.acronym, "A Study (C-AXSPAND)", "C-AXSPAND"),
    (values.acronym, "A Study (HELP 2)", "HELP 2"),
    (values.acronym, "A Study (with a description)", None),
    (values.acronym, "A Study (children)", None),
    (values.acronym, "A Study (Pilot)", None),
    (values.acronym, "A Study (Part 2)", None),
    (values.acronym, "Imaging in X (X ABC-714 PET Imaging)", None),
    (values.acronym, "An (ABC) Study", None),
    (values.acronym, "A Study ()", None),
    (values.acronym, "A Study (2025)", None),
    (values.is_nct_id, "NCT99000001", True),
    (values.is_nct_id, "NCT9900001", False),
    (values.is_nct_id, "NCT990000011", False),
    (values.is_nct_id, "nct99000001", False),
    (values.is_nct_id, "NCT٩٩٠٠٠٠٠١", False),
]


@pytest.mark.parametrize(("reader", "line", "value"), EXAMPLES)
def test_reads(reader: Callable[[str], Any], line: str, value: object) -> None:
    assert reader(line) == value


@pytest.mark.parametrize(
    ("reader", "line", "expected"),
    [
        (values.count, "", "a number such as '13' or '2,000'"),
        (values.count, "٣", "a number such as '13' or '2,000'"),
        (values.count, "1,00", "a number such as '13' or '2,000'"),
        (values.count, "9" * 16, "a number such as '13' or '2,000'"),
        (values.count, "1,000,000,000,000,000", "a number such as '13' or '2,000'"),
        (values.enrollment, "9" + ",999" * 1_433 + " patients", "'N patients' or 'N estimated patients'"),
        (values.enrollment, "about 30 patients", "'N patients' or 'N estimated patients'"),
        (values.enrollment, "30", "'N patients' or 'N estimated patients'"),
        (
            values.participants,
            "32 participants in 4 cohorts",
            "'N participants in K patient groups', with or without ', including a placebo group'",
        ),
        (values.healthy_volunteers, "Maybe", "'Accepts Healthy Volunteers' or 'No Healthy Volunteers'"),
        (values.intervention, "MSCs", "'Type: name'"),
        (values.intervention, "Drug:", "'Type: name'"),
        (values.intervention, ": MSCs", "'Type: name'"),
    ],
)
def test_refuses_with_what_was_expected(reader: Callable[[str], Any], line: str, expected: str) -> None:
    with pytest.raises(ValueError, match=r".+") as error:
        reader(line)
    assert str(error.value) == expected


@pytest.mark.parametrize("enumeration", vocabulary.VOCABULARIES)
def test_every_label_has_its_code(enumeration: str) -> None:
    for label, code in vocabulary.VOCABULARIES[enumeration].items():
        assert values.term(label, enumeration) == Term(label=label, code=code)
    assert values.term("Nobody Knows", enumeration) == Term(label="Nobody Knows", code=None)
