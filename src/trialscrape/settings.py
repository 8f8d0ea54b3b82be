"""Every assumption about the site and the registry, and every default of politeness, in one frozen dataclass.

The words behind a field say how sure it is: *known* is published, *fairly* is seen by several readers of the site,
*guess* is nobody's word. Each field can be set by an environment variable: `rate` by `TRIALSCRAPE_RATE`, and so on.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, urlsplit

from trialscrape.addresses import mask_passwords
from trialscrape.errors import SettingsError

PREFIX = "TRIALSCRAPE_"
# The first is an option of the commands only, the second tells the project's own tests where real pages lie.
_NO_SETTINGS = {"TRIALSCRAPE_STORE", "TRIALSCRAPE_REAL_PAGES"}

# Nine digits of days are the longest that a timedelta holds.
_AGE = re.compile(r"([0-9]{1,5})([dhm])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def parse_age(text: str) -> timedelta:
    """Read an age: `7d`, `12h`, `30m`, or `0` for "always ask again".

    Raises:
        SettingsError: Anything else.
    """
    asked = text.strip().lower()
    if asked == "0":
        return timedelta(0)
    found = _AGE.fullmatch(asked)
    if not found:
        raise SettingsError(f"expected an age as 7d, 12h, 30m or 0, found {text!r}")
    count, unit = found.groups()
    return timedelta(**{_UNITS[unit]: int(count)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run takes for granted. Times are seconds, sizes are bytes.

    Raises:
        SettingsError: A value that cannot be used, on construction.
    """

    site: str = "https://ctv.veeva.com"
    """Scheme and host of the site. *known*"""
    registry: str = "https://clinicaltrials.gov"
    """Scheme and host of the registry; its records are at `/api/v2/studies/<id>`. *known*"""
    registry_batch: int = 1000
    """Ids asked for by one request to the registry, at most 1000; fewer where an address would be too long. *known*"""
    study_path: str = "/study/"
    """What stands before the slug of a study page. *known*"""
    forbidden_path: str = "/study-search"
    """Never asked for, whatever robots.txt says. *known*: the site's robots.txt forbids it"""
    title_length: int = 100
    """Where the site cuts the title that it makes a slug of, in characters. *known*"""

    rate: float = 1.0
    """Requests a second over all hosts of a run. *fairly*: other readers keep to 2 and met no blocking"""
    concurrency: int = 2
    """Requests in flight. *fairly*: other readers use 3"""
    crawl_delay_limit: float = 120.0
    """A robots.txt that asks for a longer delay than this is taken as a refusal. *guess*"""
    contact: str = ""
    """Whom the site may write to: a mail address or URL, sent in the User-Agent."""
    proxy: str = field(default="", repr=False)
    """HTTP proxy for all requests, as `http://user:password@host:3128`; those of the environment are not used."""

    max_age: timedelta = timedelta(days=7)
    """A kept page younger than this is not asked for again. *guess*: how often pages change is unknown"""

    connect_timeout: float = 10.0
    """For the connection, TLS included. *guess*"""
    read_timeout: float = 30.0
    """For the next bytes of an answer. *guess*"""
    total_timeout: float = 60.0
    """For a request from its first to its last byte. *guess*"""

    retries: int = 3
    """How often a request is sent again after a fault that may pass."""
    backoff: float = 1.0
    """The first wait before a retry; it doubles with each, and up to as much again is added by chance."""
    backoff_limit: float = 30.0
    """The longest wait that nobody asked for."""
    retry_after_limit: float = 120.0
    """A host that asks for a longer pause than this is left alone for the rest of the run. *guess*"""

    body_limit: int = 20_000_000
    """The largest body taken, after decompression. *guess*: known pages are below 1 MB"""
    redirects: int = 5
    """How many redirects are followed, on the same scheme, host and port only."""

    robots_limit: int = 500_000
    """How much of a robots.txt is read; RFC 9309 asks for at least 500 KiB of a larger one to be looked at."""
    robots_asks: int = 5
    """How often a robots.txt that did not answer is asked for in one run, each time with its retries."""
    robots_pause: float = 60.0
    """How long to wait before a robots.txt that did not answer is asked for again."""

    def __post_init__(self) -> None:
        for name in ("site", "registry"):
            address = getattr(self, name)
            bare = _is_origin(address, "http", "https") and "@" not in address
            _check(name, "scheme and host, as https://ctv.veeva.com", address, good=bare)
        good_proxy = not self.proxy or _is_origin(self.proxy, "http")
        _check("proxy", "an address as http://host:3128", self.proxy, good=good_proxy)
        for name in ("study_path", "forbidden_path"):
            path = getattr(self, name)
            _check(name, "a path that starts with /", path, good=path.startswith("/"))
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, int | float):
                _check_number(entry.name, value)
        _check("max_age", "an age of 0 or more", self.max_age, good=self.max_age >= timedelta(0))
        _check("registry_batch", "a number from 1 to 1000", self.registry_batch, good=self.registry_batch <= _MOST_IDS)
        printable = self.contact.isascii() and self.contact.isprintable() and not set("()\\") & set(self.contact)
        _check("contact", "printable ASCII without brackets and backslashes", self.contact, good=printable)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **given: Any) -> "Settings":  # noqa: ANN401 - fields of all types
        """Take what `TRIALSCRAPE_…` variables set, and the defaults for the rest.

        Args:
            environ: The environment; other variables are passed over, empty ones count as not set.
            given: Fields that are set already, say by an option of the command; they win.

        Raises:
            SettingsError: A `TRIALSCRAPE_…` variable that is no setting, or a value that cannot be read.
        """
        known = {PREFIX + entry.name.upper(): entry for entry in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or variable in _NO_SETTINGS or not text.strip():
                continue
            if variable not in known:
                raise SettingsError(f"expected a variable out of {', '.join(known)}; found {variable}")
            entry = known[variable]
            values[entry.name] = _read(variable, text.strip(), entry.default)
        return cls(**values | given)

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


# Fields whose 0 has a meaning; of the others, 0 would be a run that never asks or never ends.
_LEAST, _MOST = 1e-9, 1e9  # what clocks and sockets can still wait for
_MOST_IDS = 1000  # the registry's largest page
_MAY_BE_ZERO = {"retries", "redirects", "backoff", "backoff_limit", "retry_after_limit", "robots_pause"}


def _check(name: str, expected: str, found: object, *, good: bool) -> None:
    if not good:
        raise SettingsError(f"setting {name}: expected {expected}, found {mask_passwords(str(found))!r}")


def _check_number(name: str, value: float) -> None:
    zero = name in _MAY_BE_ZERO
    good = math.isfinite(value) and (value > 0 or (zero and value == 0))
    _check(name, "a number of 0 or more" if zero else "a number above 0", value, good=good)
    _check(name, f"a number from {_LEAST:g} to {_MOST:g}", value, good=value == 0 or _LEAST <= value <= _MOST)


def _is_origin(address: str, *schemes: str) -> bool:
    """Tell whether an address is a scheme and a host, and perhaps a name and password, and nothing more."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return good and parts.path in ("", "/") and not (parts.query or parts.fragment)


def _read(variable: str, text: str, default: object) -> object:
    """Read the text of a variable as the type that its field's default has."""
    try:
        if isinstance(default, timedelta):
            return parse_age(text)
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except SettingsError as error:
        raise SettingsError(f"{variable}: {error}") from None
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise SettingsError(f"{variable}: expected {kind}, found {text!r}") from None
    return text
