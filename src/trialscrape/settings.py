"""Every assumption about the site and the registry, and every default of politeness, in one frozen model.

The docstring of a field says how sure it is: *known* is published, *fairly* is seen by several readers of the site,
*guess* is a guess. Each field can be set by an environment variable: `rate` by `TRIALSCRAPE_RATE`, and so on.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from trialscrape.addresses import mask_passwords
from trialscrape.errors import SettingsError

PREFIX = "TRIALSCRAPE_"
# The first is an option of the commands only, the second tells the tests where real pages are.
_NO_SETTINGS = {"TRIALSCRAPE_STORE", "TRIALSCRAPE_REAL_PAGES"}

_LEAST, _MOST = 1e-9, 1e9  # what clocks and sockets can still wait for
_MOST_IDS = 1000  # the registry's largest page
# Nine digits of days are the longest that a timedelta holds.
_AGE = re.compile(r"([0-9]{1,5})([dhm])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_EXPECTED_AGE = "an age as 7d, 12h, 30m or 0"


def _expect(expected: str, is_good: Callable[[Any], bool]) -> AfterValidator:
    def check(value: object) -> object:
        if not is_good(value):
            raise ValueError(expected)
        return value

    return AfterValidator(check)


def _read_age(age: object) -> object:
    """Read `7d`, `12h`, `30m`, or `0` for "always ask again"."""
    if not isinstance(age, str):
        return age
    text = age.strip().lower()
    match = _AGE.fullmatch("0d" if text == "0" else text)
    if not match:
        raise ValueError(_EXPECTED_AGE)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _is_origin(address: str, schemes: Container[str] = ("http", "https")) -> bool:
    """Tell whether an address is a scheme and a host, and perhaps a name and password, and nothing more."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return good and parts.path in ("", "/") and not (parts.query or parts.fragment)


# For most numbers, 0 would be a run that never asks or never ends.
_above_zero = _expect("a number above 0", lambda number: number > 0)
_zero_or_more = _expect("a number of 0 or more", lambda number: number >= 0)
_within_reach = _expect(f"a number from {_LEAST:g} to {_MOST:g}", lambda n: n == 0 or _LEAST <= n <= _MOST)
_Count = Annotated[int, _above_zero, _within_reach]
_CountOrZero = Annotated[int, _zero_or_more, _within_reach]
_Number = Annotated[float, _above_zero, _within_reach]
_NumberOrZero = Annotated[float, _zero_or_more, _within_reach]
_Batch = Annotated[_Count, _expect(f"a number from 1 to {_MOST_IDS}", lambda number: number <= _MOST_IDS)]
_Duration = Annotated[
    timedelta, BeforeValidator(_read_age), _expect("an age of 0 or more", lambda age: age >= timedelta(0))
]
_Path = Annotated[str, _expect("a path that starts with /", lambda path: path.startswith("/"))]
_Origin = Annotated[
    str, _expect("scheme and host, as https://ctv.veeva.com", lambda url: "@" not in url and _is_origin(url))
]
_Proxy = Annotated[
    str, _expect("an address as http://host:3128", lambda url: not url or _is_origin(url, schemes=("http",)))
]
_Contact = Annotated[
    str,
    _expect(
        "printable ASCII without brackets and backslashes",
        lambda text: text.isascii() and text.isprintable() and not set("()\\") & set(text),
    ),
]
# What a value of each type is called, by the first word of the kind of pydantic's error.
_EXPECTED = {"float": "a number", "int": "a whole number", "string": "text", "time": _EXPECTED_AGE}


class Settings(BaseModel):
    """What a run takes for granted. Times are seconds, sizes are bytes; an age may be given as `7d`, `12h` or `30m`.

    Raises:
        SettingsError: A value that cannot be used, on construction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: _Origin = "https://ctv.veeva.com"
    """Scheme and host of the site. *known*"""
    registry: _Origin = "https://clinicaltrials.gov"
    """Scheme and host of the registry; its records are at `/api/v2/studies/<id>`. *known*"""
    registry_batch: _Batch = 1000
    """Ids in one request to the registry, at most 1000; fewer where an address would be too long. *known*"""
    study_path: _Path = "/study/"
    """The path before the slug of a study page. *known*"""
    forbidden_path: _Path = "/study-search"
    """Never requested, whatever robots.txt says. *known*: the site's robots.txt forbids it"""
    title_length: _Count = 100
    """Where the site cuts the title that it makes a slug of, in characters. *known*"""

    rate: _Number = 1.0
    """Requests a second over all hosts of a run. *fairly*: other readers keep to 2 and met no blocking"""
    concurrency: _Count = 2
    """Requests in flight. *fairly*: other readers use 3"""
    crawl_delay_limit: _Number = 120.0
    """A robots.txt that asks for a longer delay than this is taken as a refusal. *guess*"""
    contact: _Contact = ""
    """A mail address or URL for the owner of the site, sent in the User-Agent."""
    proxy: _Proxy = Field("", repr=False)
    """HTTP proxy for all requests, as `http://user:password@host:3128`; proxies of the environment are not used."""

    max_age: _Duration = timedelta(days=7)
    """A kept page younger than this is not fetched again. *guess*: how often pages change is unknown"""

    connect_timeout: _Number = 10.0
    """The timeout of a connection, TLS included. *guess*"""
    read_timeout: _Number = 30.0
    """The timeout of the next bytes of an answer. *guess*"""
    total_timeout: _Number = 60.0
    """The timeout of a request from its first to its last byte. *guess*"""

    retries: _CountOrZero = 3
    """Retries after a fault that may pass."""
    backoff: _NumberOrZero = 1.0
    """The wait before the first retry. It doubles each time; a random part of up to this much is added."""
    backoff_limit: _NumberOrZero = 30.0
    """The longest wait that no server asked for."""
    retry_after_limit: _NumberOrZero = 120.0
    """A host that asks for a longer pause than this is left alone for the rest of the run. *guess*"""

    body_limit: _Count = 20_000_000
    """The largest body accepted, after decompression. *guess*: known pages are below 1 MB"""
    redirects: _CountOrZero = 5
    """Redirects followed, on the same scheme, host and port only."""

    robots_limit: _Count = 500_000
    """How much of a robots.txt is read; RFC 9309 asks for at least 500 KiB of a larger one."""
    robots_asks: _Count = 5
    """Requests for a robots.txt that does not answer in one run, each with its retries."""
    robots_pause: _NumberOrZero = 60.0
    """The wait before the next request for a robots.txt that did not answer."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, values: object, build: ModelWrapValidatorHandler["Settings"]) -> "Settings":
        """Say in our words what is wrong with a value."""
        try:
            return build(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
        name, kind = first["loc"][0], first["type"].partition("_")[0]
        if kind == "extra":
            raise SettingsError(f"expected a setting out of {', '.join(cls.model_fields)}; found {name}")
        expected = first["ctx"]["error"] if kind == "value" else _EXPECTED.get(kind, "a number")
        raise SettingsError(f"setting {name}: expected {expected}, found {mask_passwords(str(first['input']))!r}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **chosen: Any) -> "Settings":  # noqa: ANN401 - fields of all types
        """Take what `TRIALSCRAPE_…` variables set, and the defaults for the rest.

        Args:
            environ: The environment; other variables are ignored, empty ones count as not set.
            chosen: Fields set by other means, such as an option of a command; they win.

        Raises:
            SettingsError: A `TRIALSCRAPE_…` variable that is no setting, or a value that cannot be used.
        """
        names = {PREFIX + name.upper(): name for name in cls.model_fields}
        values: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or variable in _NO_SETTINGS or not text.strip():
                continue
            if variable not in names:
                raise SettingsError(f"expected a variable out of {', '.join(names)}; found {variable}")
            values[names[variable]] = text.strip()
        return cls(**values | chosen)

    @property
    def user_agent(self) -> str:
        """Name, version and contact, as every request says them."""
        product = f"trialscrape/{_version()}"
        return f"{product} (+{self.contact})" if self.contact else product

    def study_url(self, slug: str) -> str:
        """Return the address of a study page."""
        return f"{self.site.rstrip('/')}{self.study_path}{quote(slug, safe='')}"

    def registry_url(self, nct_id: str) -> str:
        """Return the address of a registry record, without the fields wanted."""
        return f"{self.registry.rstrip('/')}/api/v2/studies/{quote(nct_id, safe='')}"

    def registry_list_url(self, nct_ids: Iterable[str]) -> str:
        """Return the address of several registry records, without the fields wanted."""
        return f"{self.registry.rstrip('/')}/api/v2/studies?filter.ids={','.join(nct_ids)}&pageSize={_MOST_IDS}"


@cache
def _version() -> str:
    return version("trialscrape")  # reads a file of the installation
