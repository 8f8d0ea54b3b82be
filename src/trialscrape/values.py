"""Leaf readers: one line of the page in, one typed value out, `ValueError` where the line is something else.

They see no line numbers and no neighbours; the message of the error says what was expected. A number is ASCII digits,
with or without commas between thousands.
"""

import re

from trialscrape.records import Age, Ages, Enrollment, Identifier, Intervention, Participants, Term
from trialscrape.vocabulary import AGE_UNIT, HEALTHY_VOLUNTEERS, VOCABULARIES

_NUMBER = r"[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15}"  # more digits are no count, and no integer of other JSON readers
_COUNT = re.compile(_NUMBER)
_ENROLLMENT = re.compile(rf"({_NUMBER}) (estimated )?patients?")
_PARTICIPANTS = re.compile(rf"({_NUMBER}) participants? in ({_NUMBER}) patient groups?(, including a placebo group)?")
_UNIT = "|".join(AGE_UNIT)
_AGES = re.compile(
    rf"""(?:
        (?P<from>[0-9]{{1,9}})(?:\ (?P<from_unit>{_UNIT})s?)?
        (?:\+\ (?P<open_unit>{_UNIT})s?|\ to\ (?P<to>[0-9]{{1,9}})\ (?P<to_unit>{_UNIT})s?)
        |Under\ (?P<under>[0-9]{{1,9}})\ (?P<under_unit>{_UNIT})s?
    )\ old""",
    re.VERBOSE,
)
_NCT_ID = re.compile(r"NCT[0-9]{8}")
_TYPED_IDENTIFIER = re.compile(r"(.+) \(([^()]+)\)")
_LAST_BRACKET = re.compile(r"\(([^()]*)\)$")
_ACRONYM = re.compile(r"(?=.*[A-Z])[^\W_][\w.&/+-]{1,24}|[A-Z]{3,20} [0-9]{1,2}")
# Words that end a title in a bracket and are no acronym.
_ORDINARY_WORDS = frozenset(
    {"Adult", "Adults", "Child", "Children", "Extension", "Feasibility", "Healthy", "Infants", "Observational"}
    | {"Pediatric", "Pilot", "Registry", "Retrospective", "Substudy"}
)

_TERMS = {
    enumeration: {label: Term(label=label, code=code) for label, code in codes.items()}
    for enumeration, codes in VOCABULARIES.items()
}


def term(label: str, enumeration: str) -> Term:
    """Look a label up in the vocabulary of a registry enumeration; an unknown one keeps its words and has no code."""
    return _TERMS[enumeration].get(label) or Term(label=label, code=None)


def count(text: str) -> int:
    """Read a bare number: `13`, `2,000`."""
    if not _COUNT.fullmatch(text):
        raise ValueError("a number such as '13' or '2,000'")
    return _integer(text)


def enrollment(text: str) -> Enrollment:
    """Read `32 patients` or `1,277 estimated patients`."""
    match = _ENROLLMENT.fullmatch(text)
    if not match:
        raise ValueError("'N patients' or 'N estimated patients'")
    return Enrollment(count=_integer(match[1]), type="ESTIMATED" if match[2] else "ACTUAL")


def participants(text: str) -> Participants:
    """Read `32 participants in 4 patient groups, including a placebo group`."""
    match = _PARTICIPANTS.fullmatch(text)
    if not match:
        raise ValueError("'N participants in K patient groups', with or without ', including a placebo group'")
    return Participants(count=_integer(match[1]), groups=_integer(match[2]), placebo_group=bool(match[3]))


def ages(text: str) -> Ages:
    """Read `18+ years old`, `Under 14 days old`, `18 to 65 years old` or `1 month to 16 years old`.

    Other words are kept, without limits.
    """
    match = _AGES.fullmatch(text)
    if not match or (match["open_unit"] and match["from_unit"]):
        return Ages(label=text, minimum=None, maximum=None)
    low_unit = match["from_unit"] or match["open_unit"] or match["to_unit"]
    return Ages(
        label=text,
        minimum=_age(match["from"], low_unit),
        maximum=_age(match["to"] or match["under"], match["to_unit"] or match["under_unit"]),
    )


def healthy_volunteers(text: str) -> bool:
    """Read `Accepts Healthy Volunteers` or `No Healthy Volunteers`."""
    if text not in HEALTHY_VOLUNTEERS:
        raise ValueError(" or ".join(map(repr, HEALTHY_VOLUNTEERS)))
    return HEALTHY_VOLUNTEERS[text]


def intervention(text: str) -> Intervention:
    """Read `Drug: MSCs`; only the first `: ` splits, the name may hold more."""
    kind, separator, name = text.partition(": ")
    if not (kind.strip() and separator and name.strip()):
        raise ValueError("'Type: name'")
    return Intervention(type=term(kind, "InterventionType"), name=name)


def identifier(text: str) -> Identifier:
    """Read an identifier; a last round bracket is its type only where it is a known one."""
    match = _TYPED_IDENTIFIER.fullmatch(text)
    if match and match[2] in _TERMS["SecondaryIdType"]:
        return Identifier(value=match[1], type=term(match[2], "SecondaryIdType"))
    return Identifier(value=text, type=None)


def is_nct_id(text: str) -> bool:
    """Tell whether this is `NCT` and 8 ASCII digits."""
    return bool(_NCT_ID.fullmatch(text))


def acronym(title: str) -> str | None:
    """Take the title's last round bracket where it is an acronym: one word with a capital, or capitals and a number."""
    bracket = _LAST_BRACKET.search(title)
    if not bracket or bracket[1] in _ORDINARY_WORDS or not _ACRONYM.fullmatch(bracket[1]):
        return None
    return bracket[1]


def _integer(digits: str) -> int:
    return int(digits.replace(",", ""))


def _age(value: str | None, unit: str | None) -> Age | None:
    return Age.model_validate({"value": int(value), "unit": AGE_UNIT[unit]}) if value and unit else None
