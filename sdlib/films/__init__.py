"""Films, that is chest radiographs: what is done to one before a network sees it.

- :mod:`sdlib.films.square`: the square that a network takes, :func:`square_film`.
"""

from sdlib.films.square import square_film

__all__ = ["square_film"]
