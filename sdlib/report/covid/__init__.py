"""What chapter 7 shows of COVID-19 in radiographs of the chest.

- :mod:`sdlib.report.covid.film_figures`: phantom films by hospital, and with changed signatures.
"""
