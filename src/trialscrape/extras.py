"""Libraries that an installation may lack: each belongs to an extra, and is imported when it is needed."""

from importlib import import_module
from types import ModuleType

from trialscrape.errors import MissingExtraError


def load_extra(module: str, extra: str) -> ModuleType:
    """Import a module of an optional library.

    Args:
        module: Its name, as `pyarrow.parquet`.
        extra: The extra that installs it, as `parquet`.

    Raises:
        MissingExtraError: It is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        raise MissingExtraError(
            f"this needs {library}, which is not installed: run `pip install 'trialscrape[{extra}]'`"
        ) from error
