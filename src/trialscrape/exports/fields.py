"""What of a record is written: chosen fields, and no personal names."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from trialscrape.errors import UnknownField
from trialscrape.exports.jsonl import escape_unsafe
from trialscrape.records import TracedTrial
from trialscrape.wording import suggest_names

FIELDS = tuple(TracedTrial.model_fields)
"""The fields of a record; `spans` is in records that were read with it."""

REMOVED = "[name removed]"
"""What stands where a name was."""

_DEGREE = re.compile(
    r"(?:[, ]+(?:M\.?D|Ph\.?D|D\.?O|D\.?D\.?S|DMD|DPT|DNP|M\.?B\.?B\.?S|MBChB|MBA|MPH|MSc?|RN|BSN|Pharm\.?D)\b\.?)+$"
)
_TITLE = re.compile(r"(?:(?:Prof(?:essor)?|Dr|Assoc|Assistant|Associate|Mr|Mrs|Ms)\.? +)+")
_PERSON = re.compile(r"[^\W\d_][\w.'’-]*(?: +[\w.'’-]+){1,4}")
_OFFICE = re.compile(
    r"\b(?:call|care|cent(?:er|re)|clinical|clinic|contact|coordinator|corporation|company|department|desk|director|"
    r"foundation|gmbh|group|health|help|hospital|inc|information|institute|laborator\w*|ltd|llc|manager|medical|office|"
    r"operator|pharma\w*|program|research|service|site|sponsor|study|support|team|therapeutics|trials?|university)\b",
    re.IGNORECASE,
)


def choose_fields(names: str | None) -> tuple[str, ...]:
    """Read a list of fields, as `nct_id,title`; none for None.

    Raises:
        UnknownField: There is no such field; the message has names that are near, or all.
    """
    if names is None:
        return ()
    chosen = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    unknown = [name for name in chosen if name not in FIELDS]
    if unknown:
        raise UnknownField(f"there is no field {unknown[0]!r}; {suggest_names(unknown[0], FIELDS)}")
    return chosen


def make_filter(fields: tuple[str, ...] = (), *, contacts: bool = True) -> Callable[[bytes], bytes]:
    """Make the function that a record passes, as its line of JSON, before it is written.

    Args:
        fields: The fields to keep, in the order wanted; none for all.
        contacts: Whether personal names stay.
    """
    if not fields and contacts:
        return lambda line: line

    def select(line: bytes) -> bytes:
        record = json.loads(line)
        if not contacts:
            record = remove_names(record)
        if fields:
            record = {name: record[name] for name in fields if name in record}
        return escape_unsafe(json.dumps(record, ensure_ascii=False, separators=(",", ":"))).encode()

    return select


def remove_names(record: dict[str, Any]) -> dict[str, Any]:
    """Remove personal names: the contacts, and these persons wherever else they stand.

    A sponsor who is a person goes too, as far as the page says so: it is a contact, or the funder is an individual. The
    text of unparsed lines goes, because any of them may be a contact; so do their words in warnings.
    """
    persons = [person for contact in record["central_contacts"] for person in _list_forms(contact)]
    funders = {funder["code"] for funder in record["funder_types"]}
    if "INDIV" in funders and record["sponsor"]:
        persons.append(record["sponsor"])
    unread = [line["text"] for line in record["unparsed"]]
    hidden = sorted({*persons, *unread} - {""}, key=len, reverse=True)
    cleaned = {**record, "central_contacts": [], "unparsed": [{**line, "text": REMOVED} for line in record["unparsed"]]}
    if not hidden:
        return cleaned
    in_texts = _match_any(sorted(set(persons) - {""}, key=len, reverse=True))
    in_messages = _match_any(hidden)
    return {name: _replace(value, in_messages if name == "warnings" else in_texts) for name, value in cleaned.items()}


def _match_any(words: list[str]) -> "re.Pattern[str]":
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)" if words else "(?!)")


def _list_forms(contact: str) -> Iterator[str]:
    """List how a person may be written: as given, and without title and degree; nothing for an office."""
    degree, title = _DEGREE.search(contact), _TITLE.match(contact)
    bare = _TITLE.sub("", _DEGREE.sub("", contact)).strip()
    is_person = degree or title or (_PERSON.fullmatch(bare) and not _OFFICE.search(bare))
    if is_person:
        yield contact
        if " " in bare:
            yield bare


def _replace(value: Any, names: "re.Pattern[str]") -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, str):
        return names.sub(REMOVED, value)
    if isinstance(value, list):
        return [_replace(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _replace(item, names) for key, item in value.items()}
    return value
