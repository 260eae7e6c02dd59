"""What chapter 7 shows of COVID-19 in films of the chest.

- :mod:`sdlib.report.covid.film_figures`: phantom films by hospital, and with changed signatures.
- :mod:`sdlib.report.covid.cross_table`: label by source, and what the source says of the label.
- :mod:`sdlib.report.covid.audit`: whether the source tells the label, and shows in the images.
- :mod:`sdlib.report.covid.situations`: the two training situations, and the arms compared.
- :mod:`sdlib.report.covid.evaluation`: AUROC outside and DeLong's tests, as tables.
- :mod:`sdlib.report.covid.networks`: every network beside the ensemble.
- :mod:`sdlib.report.covid.roc`: Figure 7, curves with bootstrap bands.
- :mod:`sdlib.report.covid.reliance`: what a changed part of a place's signature does to logits.
- :mod:`sdlib.report.covid.lambdas`: reliance over lambda, on phantoms.
- :mod:`sdlib.report.covid.hidden`: what networks see with lungs or surroundings hidden.
- :mod:`sdlib.report.covid.linear_heads`: linear heads on frozen features, over either penalty.
"""

from sdlib.report.covid import (
    audit,
    cross_table,
    evaluation,
    film_figures,
    hidden,
    lambdas,
    linear_heads,
    networks,
    reliance,
    roc,
    situations,
)

__all__ = [
    "audit",
    "cross_table",
    "evaluation",
    "film_figures",
    "hidden",
    "lambdas",
    "linear_heads",
    "networks",
    "reliance",
    "roc",
    "situations",
]
