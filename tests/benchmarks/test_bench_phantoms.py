"""Procedural images a second, and that a larger one costs less than its pixels."""

from sdlib.phantoms import draw_tiles, render
from sdlib.phantoms.radiograph import draw_films, render_film

#: Images/s of one core by size; what a core does depends on the machine.
WANTED_TILES = {64: 200, 224: 60}
WANTED_FILMS = {96: 100, 224: 60}
IMAGES = 40


def rates_of(alternate, images, rendering, sizes):
    """Images a second by size, each size timed in turn."""

    def all_at(size):
        return lambda: [rendering(image, size) for image in images]

    seconds = alternate({str(size): all_at(size) for size in sizes}, rounds=5)
    return {size: len(images) / seconds[str(size)] for size in sizes}


def test_tiles_a_second(alternate, line):
    rates = rates_of(alternate, draw_tiles(IMAGES, seed=0), render, WANTED_TILES)
    for size, wanted in WANTED_TILES.items():
        ratio = f"{rates[size] / wanted:.2f}"
        line((f"phantoms, {size} px", f"{rates[size]:.0f} tiles/s", "one core", ratio, str(wanted)))
    assert rates[64] / rates[224] < (224 / 64) ** 2


def test_films_a_second(alternate, line):
    rates = rates_of(alternate, draw_films(IMAGES, seed=0), render_film, WANTED_FILMS)
    for size, wanted in WANTED_FILMS.items():
        ratio = f"{rates[size] / wanted:.2f}"
        name = f"phantom films, {size} px"
        line((name, f"{rates[size]:.0f} films/s", "one core", ratio, str(wanted)))
    assert rates[96] / rates[224] < (224 / 96) ** 2
