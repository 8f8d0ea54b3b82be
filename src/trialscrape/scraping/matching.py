"""Whether a page is an id's page."""

import re
import unicodedata

from trialscrape.page import Match
from trialscrape.records import Trial
from trialscrape.registry.mapping import RegistryAnswer

_LONGEST_TITLE = 200
_FACTS = ("enrollment", "conditions", "treatments")
_FACTS_NEEDED = 2
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_MARKER = re.compile(r"^[ \t]*(?:[*+•-]|[0-9]{1,3}[.)])[ \t]+", re.MULTILINE)


def match_page(trial: Trial, nct_id: str, answer: RegistryAnswer | None = None) -> Match | None:
    """Tell whether a page is an id's, and by what.

    A page that shows an NCT id is that study's and no other's. One without any identifier must have the registry's
    title, and besides the sponsor, the brief summary, or two of enrollment, conditions and treatments. The site has
    its own names for sponsors, so another sponsor says nothing. Two studies can have one title and much else in common:
    where both the brief summary and the enrollment differ, it is not the page.

    Args:
        trial: What the page says.
        nct_id: The requested id, current or old.
        answer: What the registry says of it; without it, only the id itself is a match.
    """
    if trial.nct_id == nct_id:
        return Match("nct_id", nct_id)
    if answer is None or answer.nct_id is None:
        return None
    if trial.nct_id == answer.nct_id:
        return Match("current_nct_id", answer.nct_id)
    if trial.identifiers or not has_same_title(trial, answer):
        return None
    kind = _find_kind(_compare(trial, answer))
    return Match(kind, answer.nct_id) if kind else None


def explain_mismatch(trial: Trial, answer: RegistryAnswer) -> str:
    """Say, after the page's address, why it is not the page of the registry's study."""
    if trial.nct_id:
        return f"is of {trial.nct_id}"
    if trial.identifiers:
        return f"is of {', '.join(identifier.value for identifier in trial.identifiers)}"
    if not has_same_title(trial, answer):
        return f"has no identifier, and another title: {quote_title(trial.title)}"
    compared = _compare(trial, answer)
    words = {True: "the same", False: "other", None: "not on both sides"}
    comparison = ", ".join(f"{name} {words[same]}" for name, same in compared.items())
    return f"has no identifier, and its title alone is no proof; compared with the registry: {comparison}"


def quote_title(title: str | None) -> str:
    """Quote a title for a message."""
    return repr(title if title is None or len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…")


def has_same_title(trial: Trial, answer: RegistryAnswer) -> bool:
    """Tell whether a page shows the registry's brief or official title, with or without the acronym."""
    shown = trial.title or ""
    forms = {_simplify(shown)}
    if answer.acronym:
        forms.add(_simplify(shown.removesuffix(f"({answer.acronym})")))
    return bool({_simplify(title) for title in (answer.official_title, answer.brief_title) if title} & forms)


def _compare(trial: Trial, answer: RegistryAnswer) -> dict[str, bool | None]:
    """Compare what a page and the registry say besides the title; None where one of them says nothing."""
    enrollment = (trial.enrollment.count, trial.enrollment.type) if trial.enrollment else None
    treatments = frozenset((treatment.type.code, _simplify(treatment.name)) for treatment in trial.interventions)
    return {
        "sponsor": _agree(_simplify(trial.sponsor), _simplify(answer.sponsor)),
        "brief summary": _agree(_simplify_markup(trial.brief_summary), _simplify_markup(answer.brief_summary)),
        "enrollment": _agree(enrollment, answer.enrollment),
        "conditions": _agree(frozenset(map(_simplify, trial.conditions)), frozenset(map(_simplify, answer.conditions))),
        "treatments": _agree(treatments, frozenset((kind, _simplify(name)) for kind, name in answer.interventions)),
    }


def _find_kind(same: dict[str, bool | None]) -> str | None:
    if same["brief summary"] is False and same["enrollment"] is False:
        return None
    if same["sponsor"]:
        return "title+sponsor"
    if same["brief summary"]:
        return "title+summary"
    return "title+facts" if sum(same[fact] is True for fact in _FACTS) >= _FACTS_NEEDED else None


def _agree(one: object, other: object) -> bool | None:
    return one == other if one and other else None


def _simplify(text: str | None) -> str:
    """Return what two spellings of one text share: case, blanks and the full stop at the end do not count."""
    return " ".join(unicodedata.normalize("NFC", text or "").split()).strip(" .").casefold()


def _simplify_markup(text: str | None) -> str:
    r"""Return what a text in the registry's markdown and on a page share: `\<` is `<`, list markers do not count."""
    return _simplify(_MARKER.sub("", _ESCAPE.sub("", text or "")))
