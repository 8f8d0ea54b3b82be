"""Values: one line of the page in, one typed value out, `ValueError` where the line is something else; and back.

The readers see no line numbers and no neighbours; the message of the error says what was expected. A number is ASCII
digits, with or without commas between thousands.
"""

import re
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from trialscrape.records import Age, Ages, Enrollment, Identifier, Intervention, Participants, Term
from trialscrape.vocabulary import AGE_UNIT, AGE_UNITS_A_YEAR, HEALTHY_VOLUNTEERS, PATTERNS, VOCABULARIES
from trialscrape.wording import write_count

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
# What a type of identifier looks like that is not in the vocabulary yet: `(EU CT Number)`, `(Local Identifier)`.
_TYPE_LIKE = re.compile(r".+ \(((?:[^()]|\([^()]*\))*\b(?:Number|Identifier|Grant|Contract))\)")
_LAST_BRACKET = re.compile(r"(.*\S) ?\(([^()]*)\)")
_ACRONYM = re.compile(r"(?=.*[A-Z])[^\W_][\w.&/+-]{1,24}|[A-Z][A-Z0-9&/+-]*(?: [A-Z0-9][A-Z0-9&/+-]*){1,2}")
# Words that begin a bracket at the end of a title that is not an acronym.
_ORDINARY_WORDS = frozenset(
    {"adult", "adults", "child", "children", "cohort", "extension", "feasibility", "healthy", "infants", "part"}
    | {"observational", "pediatric", "phase", "pilot", "protocol", "registry", "retrospective", "study", "substudy"}
)
_WORD = re.compile(r"[^\W_]+")
_LINKING_WORDS = frozenset({"a", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"})

_TERMS = {
    enumeration: {label: Term(label=label, code=code) for label, code in codes.items()}
    for enumeration, codes in VOCABULARIES.items()
}


def term(label: str, enumeration: str) -> Term:
    """Look a label up in the vocabulary of a registry enumeration; an unknown one keeps its words and has no code."""
    known = _TERMS[enumeration].get(label)
    if known:
        return known
    patterns = PATTERNS.get(enumeration, ())
    return Term(label=label, code=next((code for pattern, code in patterns if pattern.fullmatch(label)), None))


def count(text: str) -> int:
    """Read a bare number: `13`, `2,000`."""
    if not _COUNT.fullmatch(text):
        raise ValueError("a number such as '13' or '2,000'")
    return _parse_integer(text)


def enrollment(text: str) -> Enrollment:
    """Read `32 patients` or `1,277 estimated patients`."""
    match = _ENROLLMENT.fullmatch(text)
    if not match:
        raise ValueError("'N patients' or 'N estimated patients'")
    return Enrollment(count=_parse_integer(match[1]), type="ESTIMATED" if match[2] else "ACTUAL")


def participants(text: str) -> Participants:
    """Read `32 participants in 4 patient groups, including a placebo group`."""
    match = _PARTICIPANTS.fullmatch(text)
    if not match:
        raise ValueError("'N participants in K patient groups', with or without ', including a placebo group'")
    return Participants(count=_parse_integer(match[1]), groups=_parse_integer(match[2]), placebo_group=bool(match[3]))


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
        minimum=_make_age(match["from"], low_unit),
        maximum=_make_age(match["to"] or match["under"], match["to_unit"] or match["under_unit"]),
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
    for label, kind in _TERMS["SecondaryIdType"].items():
        value = text.removesuffix(f" ({label})")
        if value and value != text:
            return Identifier(value=value, type=kind)
    return Identifier(value=text, type=None)


def find_unknown_type(identifier: Identifier) -> str | None:
    """Return the last bracket of an identifier without a type where it looks like an unknown type."""
    match = None if identifier.type else _TYPE_LIKE.fullmatch(identifier.value)
    return match[1] if match else None


def contacts(text: str) -> tuple[str, ...]:
    """Read a line of contacts: persons and centers, separated by `; `."""
    return tuple(contact.strip(" ") for contact in text.split("; ") if contact.strip(" "))


def is_nct_id(text: str) -> bool:
    """Return whether this is `NCT` and 8 ASCII digits."""
    return bool(_NCT_ID.fullmatch(text))


class TitleParts(NamedTuple):
    """A title without the bracket of its acronym, and the acronym."""

    brief_title: str
    acronym: str | None


def title(text: str) -> TitleParts:
    """Split a title at its last round bracket where that is an acronym.

    An acronym is one word with a capital, or two or three of capitals and digits. An abbreviation of the
    words right before it (`Atopic Dermatitis (AD)`) is none, and neither is one of mostly digits, a sponsor's code.
    """
    match = _LAST_BRACKET.fullmatch(text)
    if not match or not _ACRONYM.fullmatch(match[2]) or match[2].split()[0].lower() in _ORDINARY_WORDS:
        return TitleParts(text, None)
    digits = sum("0" <= character <= "9" for character in match[2])
    if 2 * digits > len(match[2]) or _abbreviates(match[2], match[1]):
        return TitleParts(text, None)
    return TitleParts(match[1], match[2])


def _abbreviates(acronym: str, text: str) -> bool:
    """Return whether an acronym is made of the words that a text ends with."""
    letters = "".join(_WORD.findall(acronym.removesuffix("s"))).lower()
    words = [word.lower() for word in _WORD.findall(text)][-2 * len(letters) :]
    starts = [start for start, word in enumerate(words) if word[0] == letters[0]]
    return any(_spells(words[start:], letters) for start in starts)


def _spells(words: list[str], letters: str) -> bool:
    """Return whether letters are the initials of words, with one more from within a word, or abbreviate a lone word."""
    if len(words) == 1:
        rest = iter(words[0])
        return all(letter in rest for letter in letters)
    initials = [_initial(word) for word in words]
    inner = [f"{initial}[{word[1:]}]" if word[1:] else initial for initial, word in zip(initials, words, strict=True)]
    forms = ("".join((*initials[:place], inner[place], *initials[place + 1 :])) for place in range(len(words)))
    return any(re.fullmatch(form, letters) for form in ("".join(initials), *forms))


def _initial(word: str) -> str:
    return word if word.isdecimal() else f"{word[0]}?" if word in _LINKING_WORDS else word[0]


def write_identifier(identifier: Identifier) -> str:
    """Write an identifier with its type in a bracket."""
    return f"{identifier.value} ({identifier.type.label})" if identifier.type else identifier.value


def write_intervention(intervention: Intervention) -> str:
    """Write `Drug: MSCs`."""
    return f"{intervention.type.label}: {intervention.name}"


def write_participants(participants: Participants) -> str:
    """Write the sentence."""
    placebo = ", including a placebo group" if participants.placebo_group else ""
    groups = write_count(participants.groups, "patient group")
    return f"{write_count(participants.count, 'participant')} in {groups}{placebo}"


def _write_enrollment(enrollment: Enrollment) -> str:
    estimated = "estimated " if enrollment.type == "ESTIMATED" else ""
    return write_count(enrollment.count, f"{estimated}patient")


def _write_healthy_volunteers(accepted: bool) -> str:  # noqa: FBT001  it is the value
    return next(label for label, value in HEALTHY_VOLUNTEERS.items() if value is accepted)


def _parse_integer(digits: str) -> int:
    return int(digits.replace(",", ""))


def _make_age(value: str | None, unit: str | None) -> Age | None:
    if not value or not unit:
        return None
    years = round(int(value) / AGE_UNITS_A_YEAR[unit], 6)
    return Age.model_validate({"value": int(value), "unit": AGE_UNIT[unit], "years": years})


class Value(NamedTuple):
    """A kind of value that stands in a line.

    Attributes:
        read: A line to the value.
        write: The value to a line.
        first: What such a line looks like, loosely: enough to tell it from prose; None where that is not known.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    first: re.Pattern[str] | None = None


def make_label(enumeration: str) -> Value:
    """Make the value that is a label of a vocabulary, named by its registry enumeration."""
    pattern = re.compile("|".join(map(re.escape, VOCABULARIES[enumeration])))
    return Value(partial(term, enumeration=enumeration), attrgetter("label"), pattern)


WORDS = Value(str)
COUNT = Value(count, first=re.compile(r"[0-9][0-9,]*"))
ENROLLMENT = Value(enrollment, _write_enrollment, re.compile(r"[0-9][0-9,]* .*patients?"))
AGES = Value(ages, attrgetter("label"), re.compile(r".* old"))
VOLUNTEERS = Value(healthy_volunteers, _write_healthy_volunteers, re.compile(r".*Healthy Volunteers"))
INTERVENTION = Value(intervention, write_intervention, re.compile(r"[^:]+: .+"))
IDENTIFIER = Value(identifier, write_identifier)
CONTACTS = Value(contacts, "; ".join)
