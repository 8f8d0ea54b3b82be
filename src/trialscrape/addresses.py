"""Addresses as text: what of them may be shown, where their paths lead, and which page they name."""

import re
from urllib.parse import unquote

_USERINFO = re.compile(r"(?<=[/\\]{2})[^/\\?#\s]*@")
_REFERRER = "comeFrom"
_DECODINGS = 2  # a proxy and a server behind it may each decode a path


def mask_passwords(text: str) -> str:
    """Hide the name and password of each address in a text: `https://***@host/`."""
    return _USERINFO.sub("***@", text)


def resolve_path(path: str) -> str:
    r"""Resolve the segments `.` and `..` of an absolute path as the URL standard does: `%2e` is a dot, `\` a slash."""
    kept: list[str] = []
    for segment in re.split(r"[/\\]", path)[1:]:
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
    if dots in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def may_lead_to(path: str, place: str) -> bool:
    """Tell whether some server may take an absolute path for one that starts with `place`.

    Servers may decode it, resolve its dots, take backslashes for slashes, collapse slashes and ignore case.
    """
    readings = [path]
    for _ in range(_DECODINGS):
        readings.append(unquote(readings[-1]))
    plain = [re.sub(r"[/\\]+", "/", reading).lower() for reading in readings]
    return any(reading.startswith(place.lower()) for reading in [*plain, *map(resolve_path, plain)])


def drop_referrer(url: str) -> str:
    """Drop from an address how its visitor came there (`?comeFrom={…}`), which is no part of the page's identity."""
    address, hash_, fragment = url.partition("#")
    page, mark, query = address.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] != _REFERRER]
    return (page + mark + "&".join(kept) if kept else page) + hash_ + fragment
