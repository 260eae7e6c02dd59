"""What was measured, recorded in git or by this machine: one key to all of it.

:class:`Place` (experiment, profile, source, origin) holds rows, predictions, sweep, trials and
sharpness of an experiment. :func:`columns`, :func:`everywhere` and :func:`shown` choose places for
a page; :func:`record` copies this machine's results to the recorded ones.
"""

from sdlib.results.key import ORIGINS, RECORDED, THIS_RUN
from sdlib.results.place import Ensemble, Place
from sdlib.results.recording import record
from sdlib.results.rows import circumstances, is_recorded, own_row, own_state, provenance
from sdlib.results.shown_places import MAIN_PROFILE, columns, everywhere, sentence, shown

__all__ = [
    "MAIN_PROFILE",
    "ORIGINS",
    "RECORDED",
    "THIS_RUN",
    "Ensemble",
    "Place",
    "circumstances",
    "columns",
    "everywhere",
    "is_recorded",
    "own_row",
    "own_state",
    "provenance",
    "record",
    "sentence",
    "shown",
]
