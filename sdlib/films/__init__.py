"""Films, that is chest radiographs: what is done to one before a network sees it.

- :mod:`sdlib.films.tags`: the tags of DICOM that say how a film is to be shown, from a DICOM file
  or from the JSON beside a PNG.
- :mod:`sdlib.films.greyscale`: from stored values to 8-bit grey, by these tags.
- :mod:`sdlib.films.reading`: DICOM files, and 16-bit PNG files with their tags.
- :mod:`sdlib.films.square`: the square that a network takes, :func:`square_film`.
"""

from sdlib.films.greyscale import render_film
from sdlib.films.reading import read_dicom_film, read_png_film, read_stored_png
from sdlib.films.square import square_film
from sdlib.films.tags import FilmTags, LookupTable, Window, film_tags, parse_json_tags

__all__ = [
    "FilmTags",
    "LookupTable",
    "Window",
    "film_tags",
    "parse_json_tags",
    "read_dicom_film",
    "read_png_film",
    "read_stored_png",
    "render_film",
    "square_film",
]
