"""A table of examples for every leaf reader."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from trialscrape import vocabulary
from trialscrape.parsing import values
from trialscrape.records import Age, Ages, Enrollment, Identifier, Intervention, Participants, Term

Unit = Literal["YEARS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES"]


def age(value: int, unit: Unit, years: float) -> Age:
    return Age(value=value, unit=unit, years=years)


def years(low: int | None, high: int | None) -> dict[str, Age | None]:
    return {
        "minimum": None if low is None else age(low, "YEARS", low),
        "maximum": None if high is None else age(high, "YEARS", high),
    }


EXAMPLES: list[tuple[Callable[..., Any], Any, object]] = [
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
        Ages(label="Under 1 hour old", minimum=None, maximum=age(1, "HOURS", 0.000114)),
    ),
    (
        values.ages,
        "24 to 48 hours old",
        Ages(label="24 to 48 hours old", minimum=age(24, "HOURS", 0.002738), maximum=age(48, "HOURS", 0.005476)),
    ),
    (values.ages, "35+ weeks old", Ages(label="35+ weeks old", minimum=age(35, "WEEKS", 0.670773), maximum=None)),
    (
        values.ages,
        "1 month to 16 years old",
        Ages(
            label="1 month to 16 years old",
            minimum=age(1, "MONTHS", 0.083333),
            maximum=age(16, "YEARS", 16.0),
        ),
    ),
    (
        values.ages,
        "Under 14 days old",
        Ages(label="Under 14 days old", minimum=None, maximum=age(14, "DAYS", 0.03833)),
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
    (
        values.identifier,
        "2031-501234-12-00 (EU Trial (CTIS) Number)",
        Identifier(value="2031-501234-12-00", type=Term(label="EU Trial (CTIS) Number", code="CTIS")),
    ),
    (
        values.identifier,
        "R1 (U.S. FDA Grant/Contract)",
        Identifier(value="R1", type=Term(label="U.S. FDA Grant/Contract", code="FDA")),
    ),
    (values.identifier, "(Other Identifier)", Identifier(value="(Other Identifier)", type=None)),
    *(
        (values.find_unknown_type, Identifier(value=value, type=None), unknown)
        for value, unknown in {
            "7 (EU CT Number)": "EU CT Number",
            "7 (Local (Owl) Number)": "Local (Owl) Number",
            "7 (Owl Identifier)": "Owl Identifier",
            "7 (Owl Grant/Contract)": "Owl Grant/Contract",
            "817/2559(EC1)": None,
            "Sacral ESP Block": None,
            "7 (Owl Numbers and More)": None,
            "(Owl Number)": None,
            "NCT99000001": None,
        }.items()
    ),
    (values.contacts, "Flora Example", ("Flora Example",)),
    (values.contacts, "Flora Example, MD; Owl Line; ", ("Flora Example, MD", "Owl Line")),
    (values.contacts, "Call 1-800 (OWL); or", ("Call 1-800 (OWL)", "or")),
    (values.is_nct_id, "NCT99000001", True),
    (values.is_nct_id, "NCT9900001", False),
    (values.is_nct_id, "NCT990000011", False),
    (values.is_nct_id, "nct99000001", False),
    (values.is_nct_id, "NCT٩٩٠٠٠٠٠١", False),
]


@pytest.mark.parametrize(("reader", "line", "value"), EXAMPLES)
def test_reads(reader: Callable[..., Any], line: object, value: object) -> None:
    assert reader(line) == value


@pytest.mark.parametrize(
    ("title", "acronym"),
    [
        ("A Study (HUCMSC)", "HUCMSC"),
        ("A Study (SNACKing)", "SNACKing"),
        ("A Study (Psilo101)", "Psilo101"),
        ("A Study (Casa)", "Casa"),
        ("A Study. (RCT)", "RCT"),
        ("A Disease (PKU) (ESSENTIAL)", "ESSENTIAL"),
        ("A Study (C-AXSPAND)", "C-AXSPAND"),
        ("A Study (HELP 2)", "HELP 2"),
        ("A Study (with a description)", None),
        ("A Study (children)", None),
        ("A Study (Pilot)", None),
        ("A Study (Part 2)", None),
        ("Imaging in X (X ABC-714 PET Imaging)", None),
        ("An (ABC) Study", None),
        ("A Study ()", None),
        ("A Study (2025)", None),
        ("Sleep in Winter (FACE COVID-19)", "FACE COVID-19"),
        ("Sleep in Winter (BRAVO II)", "BRAVO II"),
        ("Sleep in Winter (POTTER 10)", "POTTER 10"),
        ("Sleep in Winter (CGH D-R)", "CGH D-R"),
        ("Sleep in Winter (A CURE)", "A CURE"),
        ("Lamps for Owls With Day Blindness(OWL)", "OWL"),
        ("Lamps for Atopic Dermatitis (AD)", None),
        ("Lamps and Hematocrit (HCT)", None),
        ("Lamps in Chronic Kidney Disease (CKD)", None),
        ("Lamps in the Aged With Disease of the Owl (DOO)", None),
        ("Lamps in Disease of the Owl (DOTO)", None),
        ("Extracorporeal Membrane Oxygenation (ECMO)", None),
        ("Lamps for Type 2 Diabetes (T2D)", None),
        ("Low-Density Lipoprotein Cholesterol (LDL-C)", None),
        ("Lamps for Angiotensin Converting Enzyme Inhibitors (ACEIs)", None),
        ("Lamps for Owls (LAMPOWL)", "LAMPOWL"),
        ("Lamps for Owls (HOOTS)", "HOOTS"),
        ("Lamps for Deoxyribonucleic Acids (DNAs)", None),
        ("Lamps in Sleep Apnea (SLA)", None),
        ("Lamps in Up Syndrome (UPS)", None),
        ("Lamps in Rings (P06109)", None),
        ("Lamps in Rings (P99)", None),
        ("Lamps in Rings (AB12)", "AB12"),
        ("Lamps in Rings (MK-8175-012)", None),
        ("Lamps (Extension Study)", None),
        ("Lamps (PHASE 2)", None),
        ("Lamps (STUDY 301)", None),
        ("Lamps (Owls Who Hoot)", None),
        ("Lamps (ONE TWO THREE FOUR)", None),
    ],
)
def test_a_title_is_split_at_its_acronym(title: str, acronym: str | None) -> None:
    brief_title = title.removesuffix(f"({acronym})").strip(" ")
    assert values.title(title) == (brief_title, acronym)


@pytest.mark.parametrize(
    "word",
    [
        "Adult",
        "Adults",
        "Child",
        "Children",
        "Cohort",
        "Extension",
        "Feasibility",
        "Healthy",
        "Infants",
        "Part",
        "Observational",
        "Pediatric",
        "Phase",
        "Pilot",
        "Protocol",
        "Registry",
        "Retrospective",
        "Study",
        "Substudy",
    ],
)
def test_a_word_that_describes_is_no_acronym(word: str) -> None:
    assert values.title(f"Lamps ({word})").acronym is None


@pytest.mark.parametrize("word", ["a", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])
def test_an_abbreviation_may_leave_out_a_linking_word(word: str) -> None:
    assert values.title(f"Lamps Against Dark {word} Owls (DO)").acronym is None
    assert values.title(f"Lamps Against Dark {word} Owls (D{word[0].upper()}O)").acronym is None


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


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("Begins enrollment in 1 month", "NOT_YET_RECRUITING"),
        ("Begins enrollment in 14 months", "NOT_YET_RECRUITING"),
        ("Begins enrollment in ٣ months", None),
        ("Begins enrollment in months", None),
        ("Begins enrollment soon", None),
    ],
)
def test_a_label_with_a_number(label: str, code: str | None) -> None:
    assert values.term(label, "Status") == Term(label=label, code=code)
    assert values.term(label, "Phase").code is None


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (values.ENROLLMENT, "32 patients"),
        (values.ENROLLMENT, "1 patient"),
        (values.ENROLLMENT, "2 patients"),
        (values.ENROLLMENT, "1,277 estimated patients"),
        (values.VOLUNTEERS, "Accepts Healthy Volunteers"),
        (values.VOLUNTEERS, "No Healthy Volunteers"),
        (values.AGES, "18 to 65 years old"),
        (values.INTERVENTION, "Other: Experimental: a walk."),
        (values.IDENTIFIER, "NCT99000001"),
        (values.IDENTIFIER, "16454 (Other Identifier)"),
        (values.CONTACTS, "Flora Example, MD; Owl Line"),
    ],
)
def test_a_value_is_written_as_it_was_read(value: values.Value, line: str) -> None:
    assert value.write(value.read(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        "22 participants in 2 patient groups",
        "1 participant in 1 patient group",
        "2,000 participants in 4 patient groups, including a placebo group",
    ],
)
def test_the_sentence_is_written_as_it_was_read(line: str) -> None:
    assert values.write_participants(values.participants(line)) == line
