"""What the registry says of an NCT id: whether it knows it, its current id, its titles and its sponsor."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trialscrape.fetch import Fetched, Fetcher, Result
from trialscrape.records import NctId
from trialscrape.settings import Settings

FIELDS = ("NCTId", "BriefTitle", "OfficialTitle", "Acronym", "LeadSponsorName")
"""What is asked for, by the registry's names of its data pieces."""

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


class _Protocol(_Model):
    identification: Annotated[_Identification, Field(alias="identificationModule")]
    sponsors: Annotated[_Sponsors, Field(alias="sponsorCollaboratorsModule")]


class _Record(_Model):
    protocol: Annotated[_Protocol, Field(alias="protocolSection")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAnswer:
    """The registry's answer for `asked`.

    `status` is `not_found` only where the registry itself says so; where it could not be asked or its answer could
    not be read it is `error`, `result` says what the fetcher met, and `message` what to do. For `found`, `nct_id` is
    the current id; where that is not the one asked for, `message` tells.
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


def lookup(fetcher: Fetcher, settings: Settings, nct_id: str) -> RegistryAnswer:
    """Ask the registry for an id, current or old.

    Raises:
        Stopped: The fetcher was stopped.
    """
    fetched = fetcher.get(f"{settings.registry_url(nct_id)}?fields={','.join(FIELDS)}")
    if fetched.result == "ok":
        return _read(fetched, nct_id)
    if fetched.status == _NOT_FOUND and _from_the_api(fetched):
        message = f"the registry has no study {nct_id}; check the id"
        return _answer("not_found", fetched, nct_id, message)
    return _answer("error", fetched, nct_id, f"the registry could not be asked for {nct_id}: {fetched.message}")


_NOT_FOUND = 404


def _from_the_api(fetched: Fetched) -> bool:
    # The API says "not found" in plain text (its OpenAPI file); a web page says that the API itself is not there.
    return "html" not in (fetched.content_type or "").lower()


def _answer(status: Literal["not_found", "error"], fetched: Fetched, asked: str, message: str) -> RegistryAnswer:
    return RegistryAnswer(
        status=status,
        asked=asked,
        url=fetched.final_url,
        result=fetched.result,
        attempts=fetched.attempts,
        message=message,
    )


def _read(fetched: Fetched, asked: str) -> RegistryAnswer:
    try:
        record = _Record.model_validate_json(fetched.body)
    except ValidationError as error:
        return _answer("error", fetched, asked, _shape_message(fetched, asked, error))
    names = record.protocol.identification
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
        sponsor=record.protocol.sponsors.lead.name,
    )


def _shape_message(fetched: Fetched, asked: str, error: ValidationError) -> str:
    """Return what of the answer is not as expected: the first place, in the registry's own names."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole answer"
    return (
        f"expected the registry's JSON for {asked} at {fetched.final_url}, found at {place}: {first['msg']}; "
        "the registry may have changed its answers: look for a newer version of trialscrape"
    )
