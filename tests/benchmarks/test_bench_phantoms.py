"""Procedural tiles a second, and that a larger one costs less than its pixels."""

from sdlib.phantoms import draw_tiles, render

WANTED = {64: 200, 224: 60}  # tiles/s of one core; what a core does depends on the machine
TILES = 40


def test_tiles_a_second(alternate, line):
    tiles = draw_tiles(TILES, seed=0)

    def rendering(size):
        return lambda: [render(tile, size) for tile in tiles]

    seconds = alternate({str(size): rendering(size) for size in WANTED}, rounds=5)
    rates = {size: TILES / seconds[str(size)] for size in WANTED}
    for size, wanted in WANTED.items():
        ratio = f"{rates[size] / wanted:.2f}"
        line((f"phantoms, {size} px", f"{rates[size]:.0f} tiles/s", "one core", ratio, str(wanted)))
    assert rates[64] / rates[224] < (224 / 64) ** 2
