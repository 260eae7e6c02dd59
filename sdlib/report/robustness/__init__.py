"""The experiment ``robustness`` in words, tables and figures.

- :mod:`sdlib.report.robustness.design`: arms, input size, and what UniformAugment covers.
- :mod:`sdlib.report.robustness.statistics`: curves, paired differences and their intervals.
- :mod:`sdlib.report.robustness.readings`: sentences and tables that read curves and sharpness.
- :mod:`sdlib.report.robustness.arm_pairs`: two arms compared over all levels of a shift.
- :mod:`sdlib.report.robustness.figures`: Figures 2 to 4 of the paper.
"""
