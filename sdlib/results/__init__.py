"""What was measured: rows, predictions and sweeps, recorded or of this machine."""

from sdlib.results.rows import (
    ORIGINS,
    circumstances,
    is_recorded,
    predictions,
    provenance,
    record,
    recorded_file,
    rows,
)

__all__ = [
    "ORIGINS",
    "circumstances",
    "is_recorded",
    "predictions",
    "provenance",
    "record",
    "recorded_file",
    "rows",
]
