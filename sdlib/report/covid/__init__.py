"""What chapter 7 shows of COVID-19 in radiographs of the chest.

- :mod:`sdlib.report.covid.film_figures`: phantom films by hospital, and with changed signatures.
- :mod:`sdlib.report.covid.cross_table`: label by source, and what the source says of the label.
"""
