"""What the registry says of an NCT id: whether it knows it, its current id, its titles, and what else a page shows.

Ids are asked for in lists. An id that a list lacks, be it an old id, an unknown one, or one whose record could not be
read, is asked for alone, and so are all ids of a list that could not be asked for: only the registry's answer for the
very id says what becomes of it.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from trialscrape.fetching.fetcher import Fetched, Fetcher, Result
from trialscrape.records import NctId
from trialscrape.settings import Settings
from trialscrape.store.runs import KeptAnswer
from trialscrape.store.store import Store

FIELDS = (
    "NCTId",
    "BriefTitle",
    "OfficialTitle",
    "Acronym",
    "LeadSponsorName",
    "BriefSummary",
    "EnrollmentCount",
    "EnrollmentType",
    "Condition",
    "InterventionType",
    "InterventionName",
)
"""What is asked for, by the registry's names of its data pieces."""

MAX_ADDRESS = 8_000
"""Characters of an address; many servers refuse a request line of more than 8,192 bytes."""

_NOT_FOUND = 404
_Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    # The registry may add fields; only one that is missing or of another kind is a changed shape.
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Identification(_Model):
    nct_id: Annotated[NctId, Field(alias="nctId")]
    brief_title: Annotated[_Text, Field(alias="briefTitle")]
    official_title: Annotated[str | None, Field(alias="officialTitle")] = None
    acronym: str | None = None


class _Sponsor(_Model):
    name: _Text


class _Sponsors(_Model):
    lead: Annotated[_Sponsor, Field(alias="leadSponsor")]


class _Description(_Model):
    brief_summary: Annotated[str | None, Field(alias="briefSummary")] = None


class _Conditions(_Model):
    conditions: tuple[str, ...] = ()


class _Enrollment(_Model):
    count: int | None = None
    type: str | None = None


class _Design(_Model):
    enrollment: Annotated[_Enrollment, Field(alias="enrollmentInfo")] = _Enrollment()


class _Intervention(_Model):
    type: str
    name: str


class _Interventions(_Model):
    interventions: tuple[_Intervention, ...] = ()


class _Protocol(_Model):
    identification: Annotated[_Identification, Field(alias="identificationModule")]
    sponsors: Annotated[_Sponsors, Field(alias="sponsorCollaboratorsModule")]
    description: Annotated[_Description, Field(alias="descriptionModule")] = _Description()
    conditions: Annotated[_Conditions, Field(alias="conditionsModule")] = _Conditions()
    design: Annotated[_Design, Field(alias="designModule")] = _Design()
    arms: Annotated[_Interventions, Field(alias="armsInterventionsModule")] = _Interventions()


class _Record(_Model):
    protocol: Annotated[_Protocol, Field(alias="protocolSection")]


class _List(_Model):
    studies: tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAnswer:
    """The registry's answer for `asked`.

    `status` is `not_found` only where the registry itself says so; where it could not be asked or its answer could
    not be read it is `error`, `result` says what the fetcher met, and `message` what to do. For `found`, `nct_id` is
    the current id; where that is not the one asked for, `message` says so. `enrollment` is a count and `ACTUAL` or
    `ESTIMATED`, `interventions` are pairs of the registry's type and a name. `attempts` are the requests that count
    for this id: those for itself, and those for a list that it is the first of.
    """

    status: Literal["found", "not_found", "error"]
    asked: str
    url: str
    result: Result
    attempts: int = 0
    message: str = ""
    nct_id: str | None = None
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None
    sponsor: str | None = None
    brief_summary: str | None = None
    enrollment: tuple[int, str] | None = None
    conditions: tuple[str, ...] = ()
    interventions: tuple[tuple[str, str], ...] = ()


_KEPT = TypeAdapter(RegistryAnswer)


def lookup(fetcher: Fetcher, settings: Settings, nct_id: str) -> RegistryAnswer:
    """Ask the registry for one id, current or old.

    Raises:
        Stopped: The fetcher was stopped.
    """
    fetched = fetcher.get(_with_fields(settings.registry_url(nct_id)))
    if fetched.result == "ok":
        return _read(fetched, nct_id)
    if fetched.status == _NOT_FOUND and _from_the_api(fetched):
        return _no_answer("not_found", fetched, nct_id, f"the registry has no study {nct_id}; check the id")
    return _no_answer("error", fetched, nct_id, f"the registry could not be asked for {nct_id}: {fetched.message}")


class LookAhead:
    """The registry's answers for the ids of a run; safe to use from several threads.

    Answers are kept in the store until their id is finished, so that a resumed run does not ask again.

    Args:
        fetcher: Asks.
        settings: Where the registry is, and how many ids a list has.
        store: Keeps the answers, and knows the pages of some ids; those are in no list.
        run_key: The run, begun.
        ids: All NCT ids that the run may look up, in their order.
    """

    def __init__(self, fetcher: Fetcher, settings: Settings, store: Store, run_key: str, ids: Iterable[str]) -> None:
        self._fetcher, self._settings, self._store, self._run_key = fetcher, settings, store, run_key
        self._turn = threading.Lock()
        self._lists = _lists((nct_id for nct_id in ids if self._is_open(nct_id)), settings)
        self._unlisted: dict[str, int] = {}  # ids whose list could not be asked for, and the requests that count for it

    def answer(self, nct_id: str) -> RegistryAnswer:
        """Give the answer for an id: the kept one, or that of the next list, or its own.

        Raises:
            Stopped: The fetcher was stopped.
            StoreError: The store cannot be read or written.
        """
        with self._turn:
            while self._is_open(nct_id) and (ids := next(self._lists, ())):
                self._ask_for(ids)
            kept = self._store.runs.find_answer(self._run_key, nct_id)
            sent = kept.attempts if kept else self._unlisted.pop(nct_id, 0)
        if kept and kept.answer:
            return _KEPT.validate_json(kept.answer)
        answer = lookup(self._fetcher, self._settings, nct_id)
        answer = replace(answer, attempts=answer.attempts + sent)
        if answer.status == "found":
            self._keep([answer])
        return answer

    def _is_open(self, nct_id: str) -> bool:
        """Tell whether an id is still to be asked for in a list."""
        if nct_id in self._unlisted or self._store.pages.has_match(nct_id):
            return False
        return self._store.runs.find_answer(self._run_key, nct_id) is None

    def _ask_for(self, ids: tuple[str, ...]) -> None:
        """Ask for a list of ids, and keep what the registry says of each. The requests count for the first."""
        if len(ids) == 1:
            self._unlisted[ids[0]] = 0
            return
        fetched = self._fetcher.get(_with_fields(self._settings.registry_list_url(ids)))
        sent = dict.fromkeys(ids, 0) | {ids[0]: fetched.attempts}
        listed = _read_list(fetched)
        if listed is None:
            self._unlisted |= sent
            return
        lacking = [KeptAnswer(nct_id, sent[nct_id], None) for nct_id in ids if nct_id not in listed]
        found = [
            replace(listed[nct_id], attempts=sent[nct_id], url=self._settings.registry_url(nct_id))
            for nct_id in ids
            if nct_id in listed
        ]
        self._keep(found, lacking)

    def _keep(self, found: Iterable[RegistryAnswer], lacking: Iterable[KeptAnswer] = ()) -> None:
        kept = (KeptAnswer(answer.asked, answer.attempts, _KEPT.dump_json(answer).decode()) for answer in found)
        self._store.runs.keep_answers(self._run_key, (*kept, *lacking))


def _lists(ids: Iterator[str], settings: Settings) -> Iterator[tuple[str, ...]]:
    """Divide ids into lists that an address has room for."""
    room = MAX_ADDRESS - len(_with_fields(settings.registry_list_url([])))
    most = max(1, min(settings.registry_batch, room // len("NCT00000000,")))
    while listed := tuple(islice(ids, most)):
        yield listed


def _with_fields(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}fields={','.join(FIELDS)}"


def _from_the_api(fetched: Fetched) -> bool:
    # The API says "not found" in plain text (its OpenAPI file); a web page says that the API itself is not there.
    return "html" not in (fetched.content_type or "").lower()


def _no_answer(status: Literal["not_found", "error"], fetched: Fetched, asked: str, message: str) -> RegistryAnswer:
    return RegistryAnswer(
        status=status,
        asked=asked,
        url=fetched.final_url,
        result=fetched.result,
        attempts=fetched.attempts,
        message=message,
    )


def _read(fetched: Fetched, asked: str) -> RegistryAnswer:
    """Read the registry's record of one study."""
    try:
        record = _Record.model_validate_json(fetched.body)
    except ValidationError as error:
        return _no_answer("error", fetched, asked, _shape_message(fetched, asked, error))
    return _answer(record, fetched, asked)


def _read_list(fetched: Fetched) -> dict[str, RegistryAnswer] | None:
    """Read a list of records, without those of an unknown shape; None where it is no list."""
    try:
        studies = _List.model_validate_json(fetched.body).studies
    except ValidationError:  # of an empty body too, which is that of every request that failed
        return None
    found = {}
    for study in studies:
        with suppress(ValidationError):
            record = _Record.model_validate(study)
            nct_id = record.protocol.identification.nct_id
            found[nct_id] = _answer(record, fetched, nct_id)
    return found


def _answer(record: _Record, fetched: Fetched, asked: str) -> RegistryAnswer:
    protocol = record.protocol
    names, enrollment = protocol.identification, protocol.design.enrollment
    renamed = f"{asked} is an old id; the registry's current one is {names.nct_id}" if names.nct_id != asked else ""
    return RegistryAnswer(
        status="found",
        asked=asked,
        url=fetched.final_url,
        result=fetched.result,
        attempts=fetched.attempts,
        message=renamed,
        nct_id=names.nct_id,
        brief_title=names.brief_title,
        official_title=names.official_title,
        acronym=names.acronym,
        sponsor=protocol.sponsors.lead.name,
        brief_summary=protocol.description.brief_summary,
        enrollment=(enrollment.count, enrollment.type) if enrollment.count is not None and enrollment.type else None,
        conditions=protocol.conditions.conditions,
        interventions=tuple((each.type, each.name) for each in protocol.arms.interventions),
    )


def _shape_message(fetched: Fetched, asked: str, error: ValidationError) -> str:
    """Return what of the answer is not as expected: the first place, in the registry's own names."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole answer"
    return (
        f"expected the registry's JSON for {asked} at {fetched.final_url}, found at {place}: {first['msg']}; "
        "the registry may have changed its answers: look for a newer version of trialscrape"
    )
