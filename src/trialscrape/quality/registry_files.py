"""The registry's records on the disk: studies in its JSON (API version 2), to verify pages against."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trialscrape.errors import RecordFileError
from trialscrape.quality.verify import RegistryStudy, get_id


def open_studies(path: Path) -> Callable[[str], RegistryStudy | None]:
    """Return a function that looks an id up in a file or a folder.

    Args:
        path: A folder with a file `<NCT id>.json` for each study, which is read when it is needed; or a file with one
            study, a list of them, the answer of the registry to a search, or a study a line, which is read at once.

    Raises:
        RecordFileError: It cannot be read, or holds something else; the function raises it too.
    """
    if path.is_dir():
        return lambda nct_id: _find_in_folder(path, nct_id)
    return _read_file(path).get


def _find_in_folder(folder: Path, nct_id: str) -> RegistryStudy | None:
    path = folder / f"{nct_id}.json"
    return next(iter(_read_file(path).values())) if path.exists() else None


def _read_file(path: Path) -> dict[str, RegistryStudy]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecordFileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise RecordFileError(f"{path}: expected the registry's JSON, found bytes that are not UTF-8") from error
    studies = {}
    for number, study in enumerate(_list_studies(text, path), 1):
        nct_id = get_id(study)
        if nct_id is None:
            place = f"{path}: study {number}"
            raise RecordFileError(f"{place}: expected the registry's JSON (API version 2) of a study, found other JSON")
        studies[nct_id] = study
    if not studies:
        raise RecordFileError(f"{path}: expected the registry's JSON of studies, found none")
    return studies


def _list_studies(text: str, path: Path) -> Iterator[Any]:
    try:
        try:
            whole = json.loads(text)
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                raise
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
            return
    except (ValueError, RecursionError) as error:
        raise RecordFileError(f"{path}: expected the registry's JSON, found broken JSON: {error}") from error
    if isinstance(whole, dict) and isinstance(whole.get("studies"), list):
        whole = whole["studies"]
    yield from whole if isinstance(whole, list) else [whole]
