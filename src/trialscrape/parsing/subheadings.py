"""Sub-headings among eligibility criteria: which side, inclusion or exclusion, a line announces.

A line is one of three things:

- it names one side: `Key Exclusion Criteria:`
- it looks like a heading of a side, but which one is not certain: `Inclusion/exclusion criteria:`, `Excluded if:`
- it is no sub-heading: a criterion may mention a side (`Meets all inclusion criteria of the main study`)

A line that names a side splits into three parts:

    prefix             name                 tail
    Hearing group -    inclusion criteria   :
    Key                exclusion            (planned 30)
                       exclusion criteria   for both groups

A side counts as named only where prefix and tail have a known shape, because a criterion on the wrong side is a wrong
fact. This module knows nothing of pages, lists or indents.
"""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Side = Literal["inclusion", "exclusion"]


class Subheading(NamedTuple):
    """A line that is a heading of a side, certainly or probably.

    Attributes:
        side: The one side that it names, or None where that is not certain.
        sides: The sides that it mentions.
        alone: Whether it says nothing else, so that no criterion is lost with it.
    """

    side: Side | None
    sides: frozenset[Side]
    alone: bool


class _Tail(NamedTuple):
    """What follows a name: the rest of the heading, whether a mark such as `:` ends it, and the text after that."""

    label: str
    marked: bool
    rest: str


_SIDES: dict[str, frozenset[Side]] = {"in": frozenset({"inclusion"}), "ex": frozenset({"exclusion"})}
_BOTH = _SIDES["in"] | _SIDES["ex"]


def list_words(text: str) -> frozenset[str]:
    """Split a list of words."""
    return frozenset(text.split())


_PEOPLE = list_words(
    """adolescents adult adults boys caregiver caregivers cases child children controls donor donors female females
    girls healthy individuals infant infants male males men newborns participant participant's participants
    participants' patient patient's patients patients' people persons recipient recipients subject subject's subjects
    subjects' volunteer volunteers women"""
)
_GROUPS = list_words(
    """arm arms cohort cohorts group groups module part parts period phase population populations stage step stratum
    studies study sub-study subgroup subgroups substudy"""
)
_PREFIX_WORDS = (
    _PEOPLE
    | _GROUPS
    | list_words(
        """additional alternative basic clinical common control core eligibility enrolment enrollment entry extension
        further general important key main major minimum other overall primary principal protocol randomisation
        randomization screening selected special specific summary the trial"""
    )
)
_SCOPE_WORDS = _PREFIX_WORDS | list_words("all and both each for only or this")
_NUMBERS = list_words("1 2 3 4 5 6 7 8 9 10 11 12 a b c d e f")
_INTRODUCING = (
    _PEOPLE
    | _GROUPS
    | list_words(
        """a all an and any apply applies are as at be below both condition conditions criteria criterion each either
        eligibility eligible enrolled exist exists following follows for from has have if in include included includes
        is least meet meeting meets more must of on one or participate present requirements shall should that the
        these they this those to trial two who will with"""
    )
)
# Before a name, these words show that it is part of a sentence.
_SENTENCE = list_words(
    """above according all any apply applies are as be by can defined did do does each every except fail failed fails
    failure fulfil fulfill fulfilling fulfils had has have if ineligible is known lack listed matching may meet
    meeting meets met must no none nor not parent per post pre previous prior satisfy satisfying see should standard
    than that unable unless usual violate was were when which who will without"""
)
# These words reverse what a sentence says of a side.
_DENIAL = list_words("except fail fails fulfilled met no none not parent previous satisfied unless without")
# These join a second clause.
_CLAUSE = list_words(
    """and as but by cannot defined except if including like neither never no non none nor not or plus unless when
    where while with without"""
)
# Words after these are a statement, unless the line ends with a word that leaves it open.
_STATEMENT = list_words("are be been had has have is that was were which who")
_OPEN = list_words("at for from in of on to")
_ANNOUNCING = list_words("apply applies below following follows")
_SHORT = len("exclusions") + 2
_LONGEST_KEPT = 60  # characters
_LONGEST_LABEL = 8  # words
LONGEST_INTRODUCTION = 3  # words
_LONGEST_PREFIX = 120  # characters


def _misspell(word: str) -> str:
    wrong = (f"{word[:at]}[^\\W\\d_]{{0,{2 if at else 1}}}{word[at + 1 :]}" for at in range(len(word)))
    swapped = (f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}" for at in range(len(word) - 1))
    return "|".join((*wrong, *swapped))


_CRITERIA = "c[riteao]{4,9}[nms]{0,2}"  # in any spelling
_NAME = re.compile(
    rf"(?P<reversed>{_CRITERIA} (?:for |of |de |d')(?:[a-z]{{1,20}} )?)?(?P<non>non[ -]?)?"
    rf"(?P<side>in|ex)clusion(?:s|ary)?(?P<criteria>[ _-]?{_CRITERIA})?(?![a-z])"
)
_ANY_NAME = re.sub(r"\?P<\w+>", "?:", _NAME.pattern)
_MENTION = re.compile(
    r"\b(?:meet(?:s|ing)?|met|fulfil\w*|satisf\w+|match\w*|violat\w+)(?: (?!following\b)[\w-]+){0,4}? "
    rf"{_ANY_NAME}(?! ?:)"
)
# Nearly a name: one letter is wrong, or it is another form of the word. It never counts as naming a side.
_NEARLY = (
    rf"(?<![^\W\d_])(?:(?P<in>{_misspell('inclusion')}|incl(?:u[a-z]+|\.)?)"
    rf"|(?P<ex>{_misspell('exclusion')}|excl(?:u[a-z]+|\.)?|(?:in|non-?)eligib(?:le|ility)))"
)
_NEARLY_CRITERIA = re.compile(rf"{_NEARLY}s?[ _-]?{_CRITERIA}(?![a-z])")
_NEARLY_A_NAME = re.compile(
    rf"(?:(?P<in>{_misspell('inclusion')}|incl?\.?(?=:))|(?P<ex>{_misspell('exclusion')}|excl?\.?(?=:)))s?(?:\W|$)"
)
_EXCLUDING = re.compile(r"\b(?:excluded?|ineligible|not (?:be )?(?:eligible|included|enroll?ed))\b")
_INCLUDING = re.compile(
    r"\b(?:are|is|be) (?:included|eligible)\b|^(?:included|eligible)\b"
    r"|\binclude (?:all )?(?:patients|subjects|participants)\b"
)
_EXCEPTING = re.compile(r"\b(?:except\w*|unless)\b")
_LIST_FOLLOWS = re.compile(r":$|\bfollowing(?: [a-z]+){0,2}\.?$")
_VERB_BEFORE_COLON = re.compile(
    r"(?:[a-z]+ )?(?:(?:are|is) )?(?:not )?(?:(?:ex|in)cluded|exclude|(?:in)?eligible)(?: are| if)? ?:"
)
_LEAD_IN = re.compile(r":$|\b(?:following|below|as follows)\b")

_SPELLINGS = str.maketrans(
    dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\xad")
    | dict(zip("：；（）［］[]【】–—‑−‐’‘ó", ":;()()()()-----''o", strict=True))
)
_MARKUP = re.compile(r"</?[a-z]\w{0,5}>|[*_#\\\"“”„«»`=~]+")
_NUMBERING = re.compile(
    r"[\W_]*(?:\(?(?:[0-9]+(?:\.[0-9]+)*|[ivx]{1,5}|[a-z])[.):](?![0-9])[\W_]*|[0-9]+(?:\.[0-9]+)* |o )?"
)
_SEPARATORS = ("-", ":", ",", ")")
_WORD = re.compile(r"[^\W_][\w'-]*")
_BRACKET = re.compile(r" ?\([^()]{0,300}\)")
_MARK = re.compile(r" ?(?:[:;.]| ?-+(?= |$)| -)")
_SCOPE = re.compile(r" (for|in|of|at|to|during|from) ([^:;.]{1,120})(?:(:)|$|\.$)")
_PREDICATE = re.compile(
    r" (?:(?:are|is|were|will be|(?:will )?include[sd]?|compris\w+(?: of)?|consist\w* of)\b"
    r"(?:[, ]+but (?:are |is )?not limited to)?[, ]*(?=$|:|(?:any of |one of )?the following|as follows|listed|below)"
    r"|(?=as follows|listed below|below))"
)
_SENTENCE_BEHIND = re.compile(
    r" (?:any|the following|if|individuals|participants?|patients?|people|persons?|subjects?|those|volunteers?)\b"
)
_SECOND_NAME = re.compile(
    rf" ?(?:and/or|and|or|&|/|,|-|\+) ?(?:the )?{_NAME.pattern}"
)  # what makes the second name of two one heading with the first
_MORE_OF_BOTH = re.compile(r"\b(?:other|additional|further)\b")
_NAME_INSIDE = re.compile(rf"{_ANY_NAME}(?: ?\([^()]{{0,300}}\))? ?(?::|-+ )|[.;] {_ANY_NAME}")
# How a sentence continues that begins with the bare word: `Exclusion of malignancy`, `Inclusion body myositis`.
_CONTINUES = re.compile(
    r"[ -](?:after|and|as|at|bod(?:y|ies)|before|by|conjunctivitis|cysts?|date|day|during|from|in|into|is|must|of|on|or"
    r"|period|through|to|under|until|upon|via|visit|was|will|with|within)\b"
)
_SAYS_MORE = re.compile(r"[<>=≥≤0-9]")
_SECOND_CLAUSE = re.compile(r"[<>=≥≤,;:\n]")


def read_subheading(text: str, *, item: bool = False, running: bool = False) -> Subheading | None:
    """Read a line of criteria as a heading of a side.

    Args:
        text: The line, without its marker.
        item: Whether it has a marker. Most items are criteria, so fewer shapes count.
        running: Whether it may continue a sentence that the line above began.

    Returns:
        The heading, or None for any other line.
    """
    lower = text.lower()
    if "clusi" in lower or "crit" in lower or ":" in lower or "following" in lower or len(lower) <= _SHORT:
        running = running and text[:1].islower()
        return (_read_again if len(text) <= _LONGEST_KEPT else _read)(lower, item=item, running=running)
    return None


def _read(lower: str, *, item: bool, running: bool) -> Subheading | None:
    plain = _strip_decoration(lower)
    if "clusi" in lower and plain and _NAME.search(plain):
        subheading = _read_names(plain, item=item)
        broken = running and ":" not in plain
        return subheading._replace(side=None, alone=False) if subheading and broken else subheading
    if "crit" in lower or ":" in lower or "following" in lower or len(lower) <= _SHORT:
        return _read_other_words(plain)
    return None


_read_again = lru_cache(maxsize=1024)(_read)  # texts have the same headings


def introduces(text: str, most: int = LONGEST_INTRODUCTION) -> bool:
    """Return whether a line over a list only leads it in, so that no requirement is lost with it.

    It ends in `:`, and its words either introduce (`Patients must have:`) or are a label of up to three other words
    (`Adequate organ function:`), or as many as `most`. A number, a comparison, a denial or a second clause says more
    than that.
    """
    return text.endswith(":") and (_introduces_again if len(text) <= _LONGEST_KEPT else _introduces)(text, most)


def _introduces(text: str, most: int) -> bool:
    if _SECOND_CLAUSE.search(text, 0, len(text) - 1):
        return False
    words = _WORD.findall(text.lower())
    other = [place for place in range(len(words)) if not _is_known(words, place, _INTRODUCING)]
    if not other:
        return True
    joined = not _CLAUSE.isdisjoint(words)
    stated = words[-1] not in _OPEN and not _STATEMENT.isdisjoint(words[: other[-1]])
    return len(other) <= most and not joined and not stated and not _SAYS_MORE.search(text)


_introduces_again = lru_cache(maxsize=1024)(_introduces)


def names_group(text: str) -> bool:
    """Return whether a line only names a part of the study or its people: `Part A`, `Healthy volunteers`."""
    return _is_label(text.lower(), _PREFIX_WORDS | _NUMBERS)


def _is_known(words: Sequence[str], place: int, vocabulary: Collection[str]) -> bool:
    return words[place] in vocabulary or (place > 0 and words[place - 1] in _GROUPS)


def _is_label(text: str, vocabulary: Collection[str]) -> bool:
    words = _WORD.findall(_BRACKET.sub(" ", text))
    return all(_is_known(words, place, vocabulary) for place in range(len(words)))


def _may_be_label(text: str) -> bool:
    """Return whether a text may be the name of a group: few words, and no sentence."""
    plain = _BRACKET.sub(" ", text)
    words = _WORD.findall(plain)
    return len(words) <= _LONGEST_LABEL and _SENTENCE.isdisjoint(words) and set(".;?!(").isdisjoint(plain)


def _strip_decoration(lower: str) -> str:
    """Remove what only decorates a line: markup, quotes, its number or letter, extra blanks."""
    plain = " ".join(_MARKUP.sub("", lower.translate(_SPELLINGS)).split())
    numbering = _NUMBERING.match(plain)
    return plain[numbering.end() :] if numbering else plain


def _find_sides(name: re.Match[str]) -> frozenset[Side]:
    if not name["non"]:
        return _SIDES[name["side"]]
    return _SIDES["ex"] if name["side"] == "in" else _BOTH  # a non-exclusion may be either


def _find_mentions(plain: str) -> frozenset[Side]:
    """Find the sides that a line mentions by a name, by what is nearly one, or by a word with a colon."""
    sides: frozenset[Side] = frozenset()
    for name in _NAME.finditer(plain):
        sides |= _find_sides(name)
    for name in _NEARLY_CRITERIA.finditer(plain):
        if "clusion" not in name[0]:
            sides |= _SIDES["in" if name["in"] else "ex"]
    return sides | (_SIDES["ex"] if "excluded:" in plain else frozenset())


def _read_names(plain: str, *, item: bool) -> Subheading | None:
    leads_in = bool(_LEAD_IN.search(plain))
    if not leads_in:
        plain = _MENTION.sub(" ", plain)
    name = _NAME.search(plain)
    if not name:
        return None
    sides = _find_mentions(plain)
    prefix, behind = plain[: name.start()][-_LONGEST_PREFIX - 1 :], plain[name.end() :]
    if len(sides) > 1:
        return _read_both(plain, name, leads_in=leads_in)
    (side,) = sides
    tail = _read_tail(name, behind, item=item)
    if tail and _is_heading_prefix(prefix, name, tail, item=item):
        return Subheading(side, sides, _says_nothing_else(tail))
    if _is_announced(prefix, name, behind):
        return Subheading(side, sides, alone=behind in {"", ":"})
    return Subheading(None, sides, alone=False) if _resembles_heading(prefix, name, behind, leads_in=leads_in) else None


def _read_both(plain: str, name: re.Match[str], *, leads_in: bool) -> Subheading | None:
    """Read a line that mentions both sides: a title of both, a paragraph with both, or a criterion."""
    prefix, behind = plain[: name.start()][-_LONGEST_PREFIX - 1 :], plain[name.end() :]
    title = _SECOND_NAME.match(behind)
    if title:
        tail = _read_tail(title, behind[title.end() :], item=False)
        alone = tail is not None and _says_nothing_else(tail)
    else:
        alone = False
    begins = _is_label(prefix, _PREFIX_WORDS) and not (title and _MORE_OF_BOTH.search(prefix))
    heading = begins or leads_in or _NAME_INSIDE.search(plain)
    return Subheading(None, _BOTH, alone) if heading else None


def _read_tail(name: re.Match[str], behind: str, *, item: bool) -> _Tail | None:
    """Read what follows a name; None where no heading continues like this."""
    bracket = _BRACKET.match(behind)
    label = bracket[0] if bracket else ""
    behind = behind[len(label) :]
    mark = _MARK.match(behind)
    if mark or not _WORD.search(behind) or behind.startswith(" ("):
        return _Tail(label, bool(mark), behind[mark.end() :] if mark else behind)
    has_criteria = bool(name["criteria"] or name["reversed"])
    scope = _SCOPE.match(behind)
    if scope and _is_scope(scope, has_criteria=has_criteria, item=item):
        return _Tail(label + scope[2], bool(scope[3]), behind[scope.end() :])
    group, colon, rest = behind.partition(":")
    if len(group) <= _LONGEST_PREFIX and _is_label(group, _SCOPE_WORDS | _NUMBERS):
        return _Tail(label + group, bool(colon), rest)
    predicate = _PREDICATE.match(behind)
    if predicate:
        return _Tail(label, marked=False, rest=behind[predicate.end() :].removeprefix(":"))
    return _Tail(label, marked=False, rest=behind) if has_criteria and _SENTENCE_BEHIND.match(behind) else None


def _is_scope(scope: re.Match[str], *, has_criteria: bool, item: bool) -> bool:
    """Return whether words such as `for both groups` say whom the criteria are for."""
    preposition, words, colon = scope.groups()
    if colon:
        return (has_criteria or preposition == "for") and _DENIAL.isdisjoint(_WORD.findall(words))
    if item or not has_criteria:
        return preposition != "of" and _is_label(words, _SCOPE_WORDS)
    return preposition != "of" and _may_be_label(words)


def _is_heading_prefix(prefix: str, name: re.Match[str], tail: _Tail, *, item: bool) -> bool:
    """Return whether the words before a name belong to a heading."""
    if _is_label(prefix, _PREFIX_WORDS):
        return True
    leads_list = tail.marked and not tail.rest
    if (name["criteria"] or "").endswith("on") or not (name["criteria"] or leads_list) or not _may_be_label(prefix):
        return False
    separated = prefix.rstrip(" ").endswith(_SEPARATORS)
    if item:
        return separated and tail.marked
    return separated or (leads_list and bool(name["criteria"]))


def _is_announced(prefix: str, name: re.Match[str], behind: str) -> bool:
    """Return whether a sentence announces a list: `Subjects meeting any of the following exclusion criteria`."""
    words = _WORD.findall(prefix)
    denied = not _DENIAL.isdisjoint(words) or (name["side"] == "in" and re.search(r"\bnot\b", behind))
    announced = words[-1:] == ["following"] or (words[-2:-1] == ["following"] and words[-1] in _PREFIX_WORDS)
    return bool(announced and name["criteria"] and not denied and len(prefix) <= _LONGEST_PREFIX)


def _resembles_heading(prefix: str, name: re.Match[str], behind: str, *, leads_in: bool) -> bool:
    has_criteria = bool(name["criteria"] or name["reversed"])
    begins = _is_label(prefix, _PREFIX_WORDS)
    if begins and (has_criteria or behind.endswith(":") or not _CONTINUES.match(behind)):
        return True
    if _BRACKET.sub("", behind[:_LONGEST_PREFIX]).lstrip(" ").startswith(":") or _PREDICATE.match(behind):
        return True
    if not has_criteria:
        return prefix.rstrip(" ").endswith(_SEPARATORS) and _may_be_label(prefix) and not _CONTINUES.match(behind)
    alone = not _WORD.search(behind) and _may_be_label(prefix)
    return leads_in or alone or prefix.endswith((". ", "; ", "- "))


def _says_nothing_else(tail: _Tail) -> bool:
    more = _SAYS_MORE.search(tail.label) and not _is_label(tail.label.strip(" ()"), _SCOPE_WORDS | _NUMBERS)
    words = _WORD.findall(tail.rest)
    announces = _is_label(tail.rest, _INTRODUCING) and not _ANNOUNCING.isdisjoint(words)
    return not more and (announces or _is_label(tail.rest, _GROUPS))


def _read_other_words(plain: str) -> Subheading | None:
    """Read a line without the word itself: misspelled, or a side in other words. Its side is never certain."""
    near = _NEARLY_CRITERIA.search(plain)
    if near:
        prefix, behind = plain[: near.start()], plain[near.end() :]
        begins = _is_label(prefix, _PREFIX_WORDS)
        ends = not _WORD.search(behind) and _may_be_label(prefix)
        if not (begins or ends or behind.lstrip(" ").startswith(":")):
            return None
    else:
        near = _NEARLY_A_NAME.match(plain)
    if near:
        return Subheading(None, _SIDES["in" if near["in"] else "ex"], alone=False)
    if not (_LIST_FOLLOWS.search(plain) or _VERB_BEFORE_COLON.match(plain)) or _EXCEPTING.search(plain):
        return None
    sides: frozenset[Side] = _SIDES["ex"] if _EXCLUDING.search(plain) else frozenset()
    if _INCLUDING.search(plain):
        sides |= _SIDES["in"]
    return Subheading(None, sides, alone=False) if sides else None
