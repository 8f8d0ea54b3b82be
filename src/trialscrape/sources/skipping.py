"""What cannot be a page, by its name and its first bytes: in a folder and in an archive alike."""

import re
from collections.abc import Callable, Iterator

# Windows names the folder of a saved page by its language: "page_files", "page-Dateien".
_FILES_OF_A_PAGE = re.compile(
    r"(.+)[._-](?:files?|Dateien|fichiers|bestanden|archivos|arquivos|ficheiros|filer|tiedostot|pliki|soubory|elemei"
    r"|dosyalar|datoteke|fitxers|failid|fails|bylos|fajlovi|fitxategiak)",
    re.IGNORECASE | re.DOTALL,
)
_NO_PAGES = re.compile(r"\..*|(?:eh)?thumbs\.db|desktop\.ini|.*\.(?:lock|part|crdownload)", re.IGNORECASE | re.DOTALL)
_BESIDE_A_STORE = re.compile(r"(.+)-(?:wal|shm|journal)", re.DOTALL)
_DOTS = (".", "..")

_STRING = rb'"(?:[^"\\]|\\.)*"'
OWN_OUTPUT = (
    rb'\[?\s*\{"(?:nct_id":(?:null|%b),"title":(?:null|%b),"(?:brief_title|acronym|sponsor)":' % (_STRING, _STRING)
    + rb'|(?:file|id)": ?%b, ?"outcome":)' % _STRING
)
"""A pattern for the first bytes of this tool's own records and outcomes; a dump may begin a little like them."""
_OWN_OUTPUT = re.compile(OWN_OUTPUT)


def is_skipped_file(path: str, exists: Callable[[str], bool]) -> bool:
    """Tell whether a file is no page by its name; `exists` tells which files there are beside it."""
    store = _BESIDE_A_STORE.fullmatch(path)
    return bool(_NO_PAGES.fullmatch(path.rpartition("/")[2])) or bool(store and exists(store[1]))


def is_skipped_folder(path: str, exists: Callable[[str], bool]) -> bool:
    """Tell whether a folder holds no pages: it is hidden, or a browser saved it beside a page."""
    name = path.rpartition("/")[2]
    page = _FILES_OF_A_PAGE.fullmatch(path)
    return name.startswith(".") or bool(page and any(exists(page[1] + end) for end in (".html", ".htm", ".xhtml")))


def is_skipped_member(path: str, exists: Callable[[str], bool]) -> bool:
    """Tell whether a member of an archive is no page, by its name and those of its folders."""
    return is_skipped_file(path, exists) or any(is_skipped_folder(folder, exists) for folder in _list_parents(path))


def _list_parents(path: str) -> Iterator[str]:
    place = path.find("/")
    while place >= 0:
        folder = path[:place]
        if folder and folder.rpartition("/")[2] not in _DOTS:  # "../" is only a name: nothing is ever written there
            yield folder
        place = path.find("/", place + 1)


def may_be_own_output(path: str) -> bool:
    """Tell whether a file may hold this tool's own records or outcomes, by its name."""
    return path.endswith((".jsonl", ".json"))


def is_own_output(start: bytes) -> bool:
    """Tell whether a file holds this tool's own records or outcomes, by its first bytes."""
    return bool(_OWN_OUTPUT.match(start))
