"""Records as a data frame of pandas or polars: one row a trial, with the columns of the CSV."""

from collections.abc import Iterable
from typing import Any, Literal

from trialscrape.exports.tables import TRIAL_COLUMNS, make_trial_row
from trialscrape.extras import load_extra
from trialscrape.records import Trial

_PANDAS = {"text": "string", "integer": "Int64", "real": "Float64", "boolean": "boolean"}


def to_frame(trials: Iterable[Trial], engine: Literal["pandas", "polars"] = "pandas") -> Any:  # noqa: ANN401  a frame of theirs
    """Make a data frame of records.

    Args:
        trials: The records, as `parse` or `read_records` give them; all are in memory.
        engine: The library; each is an extra.

    Returns:
        A frame with one row a trial and the columns of the CSV, whose types do not depend on the data: texts, integers,
        numbers and booleans, with nulls. Lists are joined by `; `, ages are in years.

    Raises:
        MissingExtraError: The library is not installed.
        ValueError: There is no such engine.
    """
    if engine not in {"pandas", "polars"}:
        raise ValueError(f"expected the engine 'pandas' or 'polars', found {engine!r}")
    library = load_extra(engine, engine)
    rows = [make_trial_row(trial.model_dump(mode="json")) for trial in trials]
    if engine == "polars":
        types = {"text": library.String, "integer": library.Int64, "real": library.Float64, "boolean": library.Boolean}
        schema = [(column.name, types[column.type]) for column in TRIAL_COLUMNS]
        return library.DataFrame(rows, schema=schema, orient="row")
    frame = library.DataFrame(rows, columns=[column.name for column in TRIAL_COLUMNS])
    return frame.astype({column.name: _PANDAS[column.type] for column in TRIAL_COLUMNS})
