"""Files that are either whole or absent, even if a run is killed, and checked when they are read.

Everything that the library writes (rows, predictions, caches, downloads) goes through
:func:`atomic_path`; :func:`all_or_none` makes one step of several files. Results are read by
:func:`read_json`, :func:`read_json_lines` and :func:`read_arrays`, which raise a
:class:`DamagedError` of one sentence about a file that is not as it was written. Where a damaged
file counts as not there, because this machine will make it again, :func:`if_whole` says so:
``if_whole(read_json, run.row_file)``.
"""

from sdlib.files.reading import (
    DamagedError,
    all_within,
    check_entries,
    check_number_entry,
    damaged,
    if_whole,
    read_arrays,
    read_json,
    read_json_lines,
)
from sdlib.files.writing import (
    REASONS,
    all_or_none,
    atomic_path,
    cannot_write,
    obstacle,
    write_json,
)

__all__ = [
    "REASONS",
    "DamagedError",
    "all_or_none",
    "all_within",
    "atomic_path",
    "cannot_write",
    "check_entries",
    "check_number_entry",
    "damaged",
    "if_whole",
    "obstacle",
    "read_arrays",
    "read_json",
    "read_json_lines",
    "write_json",
]
