"""What chapter 6 shows of the prostate experiment.

- :mod:`sdlib.report.prostate.evaluation`: the four evaluation sets of Figure 5.
- :mod:`sdlib.report.prostate.gap`: the gap to the other medical centre, taken apart.
- :mod:`sdlib.report.prostate.stain`: fading and normalisation outside, Figure 6A to C.
- :mod:`sdlib.report.prostate.costs`: what normalisation and the penalty cost, Figure 6D.
"""
