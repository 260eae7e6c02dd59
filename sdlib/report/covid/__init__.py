"""What chapter 7 shows of the experiments on films of the chest.

- :mod:`sdlib.report.covid.situations`: the two training situations, and the arms compared.
- :mod:`sdlib.report.covid.evaluation`: AUROC outside and DeLong's tests, as tables.
- :mod:`sdlib.report.covid.networks`: every network beside the ensemble.
- :mod:`sdlib.report.covid.roc`: Figure 7, curves with bootstrap bands.
- :mod:`sdlib.report.covid.reliance`: what a changed part of a place's signature does to logits.
- :mod:`sdlib.report.covid.hidden`: what networks see with lungs or surroundings hidden.
"""
