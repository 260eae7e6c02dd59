"""The experiment ``covid`` in words, tables and figures.

- :mod:`sdlib.report.covid.cross_table`: label by source, and what the source says of the label.
"""
