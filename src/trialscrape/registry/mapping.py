"""The registry's JSON (API version 2) to what is needed of it: titles, and what else a page shows of a study."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from trialscrape.fetching.responses import Response, Result
from trialscrape.records import NctId

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
"""The fields to request, by the registry's names."""

_NOT_FOUND = 404
_Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    # The registry may add fields; only one that is missing or of another kind is a changed shape.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class _Identification(_Model):
    nct_id: NctId
    brief_title: _Text
    official_title: str | None = None
    acronym: str | None = None


class _Sponsor(_Model):
    name: _Text


class _Sponsors(_Model):
    lead_sponsor: _Sponsor


class _Description(_Model):
    brief_summary: str | None = None


class _Conditions(_Model):
    conditions: tuple[str, ...] = ()


class _Enrollment(_Model):
    count: int | None = None
    type: str | None = None


class _Design(_Model):
    enrollment_info: _Enrollment = _Enrollment()


class _Intervention(_Model):
    type: str
    name: str


class _Interventions(_Model):
    interventions: tuple[_Intervention, ...] = ()


class _Protocol(_Model):
    identification_module: _Identification
    sponsor_collaborators_module: _Sponsors
    description_module: _Description = _Description()
    conditions_module: _Conditions = _Conditions()
    design_module: _Design = _Design()
    arms_interventions_module: _Interventions = _Interventions()


class _Study(_Model):
    protocol_section: _Protocol


class _StudyList(_Model):
    studies: tuple[JsonValue, ...]


_WHOLE = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAnswer:
    """The registry's answer for `requested_id`.

    `status` is `not_found` only where the registry itself says so; where it could not be reached or its answer could
    not be read it is `error`, `result` says what the fetcher met, `cause` why, and `message` what to do. For `found`,
    `nct_id` is the current id; where that is not the requested one, `message` says so. `enrollment` is a count and
    `ACTUAL` or `ESTIMATED`, `interventions` are pairs of the registry's type and a name. `attempts` are the requests
    that count for this id: those for itself, and those for a list that it is the first of.
    """

    status: Literal["found", "not_found", "error"]
    requested_id: str
    url: str
    result: Result
    attempts: int = 0
    message: str = ""
    cause: str = ""
    nct_id: str | None = None
    brief_title: str | None = None
    official_title: str | None = None
    acronym: str | None = None
    sponsor: str | None = None
    brief_summary: str | None = None
    enrollment: tuple[int, str] | None = None
    conditions: tuple[str, ...] = ()
    interventions: tuple[tuple[str, str], ...] = ()


def read_answer(response: Response, nct_id: str) -> RegistryAnswer:
    """Read the response to a request for one study."""
    answer = _begin_answer(response, nct_id)
    if response.result == Result.OK:
        try:
            return _add_study(answer, _Study.model_validate_json(response.body))
        except ValidationError as error:
            return replace(answer, message=_shape_message(response, nct_id, error))
    # The API says "not found" in plain text (its OpenAPI file); a web page says that the API itself is not there.
    if response.status == _NOT_FOUND and "html" not in (response.content_type or "").lower():
        return replace(answer, status="not_found", message=f"the registry has no study {nct_id}; check the id")
    return answer


def read_study(response: Response, nct_id: str) -> tuple[dict[str, JsonValue] | None, RegistryAnswer]:
    """Return the whole record in the response to a request for one study, or None; and the answer, which says why."""
    answer = read_answer(response, nct_id)
    return (_WHOLE.validate_json(response.body) if answer.status == "found" else None), answer


def read_list(response: Response) -> dict[str, RegistryAnswer] | None:
    """Read a list of records, without those of an unknown shape; None where it is no list."""
    try:
        studies = _StudyList.model_validate_json(response.body).studies
    except ValidationError:  # of an empty body too, which is that of every request that failed
        return None
    answers = {}
    for study in studies:
        with suppress(ValidationError):
            record = _Study.model_validate(study)
            nct_id = record.protocol_section.identification_module.nct_id
            answers[nct_id] = _add_study(_begin_answer(response, nct_id), record)
    return answers


def _begin_answer(response: Response, nct_id: str) -> RegistryAnswer:
    return RegistryAnswer(
        status="error",
        requested_id=nct_id,
        url=response.final_url,
        result=response.result,
        attempts=response.attempts,
        message=f"cannot look up {nct_id} at the registry: {response.message}",
        cause=response.cause,
    )


def _add_study(answer: RegistryAnswer, record: _Study) -> RegistryAnswer:
    protocol = record.protocol_section
    names, enrollment = protocol.identification_module, protocol.design_module.enrollment_info
    is_old = names.nct_id != answer.requested_id
    return replace(
        answer,
        status="found",
        message=f"{answer.requested_id} is an old id; the registry's current one is {names.nct_id}" if is_old else "",
        nct_id=names.nct_id,
        brief_title=names.brief_title,
        official_title=names.official_title,
        acronym=names.acronym,
        sponsor=protocol.sponsor_collaborators_module.lead_sponsor.name,
        brief_summary=protocol.description_module.brief_summary,
        enrollment=(enrollment.count, enrollment.type) if enrollment.count is not None and enrollment.type else None,
        conditions=protocol.conditions_module.conditions,
        interventions=tuple((item.type, item.name) for item in protocol.arms_interventions_module.interventions),
    )


def _shape_message(response: Response, nct_id: str, error: ValidationError) -> str:
    """Return what of the answer is not as expected: the first place, in the registry's own names."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole answer"
    return (
        f"expected the registry's JSON for {nct_id} at {response.final_url}, found at {place}: {first['msg']}; "
        "the registry may have changed its answers: look for a newer version of trialscrape"
    )
