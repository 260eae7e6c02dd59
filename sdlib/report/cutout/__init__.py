"""The experiment ``cutout`` in tables and figures.

- :mod:`~sdlib.report.cutout.settings`: what the arms were trained with.
- :mod:`~sdlib.report.cutout.cutoff_control`: the control that the paper lacks, and what cutouts do
  to the logit.
- :mod:`~sdlib.report.cutout.equal_access`: the paper's values against weight decay, with equal
  access to labels; the ceiling; what speaks against the method.
- :mod:`~sdlib.report.cutout.starved`: is there a feature that the penalty could free?
- :mod:`~sdlib.report.cutout.rates`: would another learning rate serve a method better?
- :mod:`~sdlib.report.cutout.sensitivity`: one step around the tuned values.
- :mod:`~sdlib.report.cutout.figures`: the figures of chapter 4.
"""

from sdlib.report.cutout import (
    cutoff_control,
    equal_access,
    figures,
    rates,
    sensitivity,
    settings,
    starved,
)

__all__ = [
    "cutoff_control",
    "equal_access",
    "figures",
    "rates",
    "sensitivity",
    "settings",
    "starved",
]
