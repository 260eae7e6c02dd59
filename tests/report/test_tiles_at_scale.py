"""Projections to the paper's millions of tiles: arithmetic, and rates that are really measured."""

import time

import pytest

from sdlib.datasets.shards import ShardWriter
from sdlib.errors import ConfigError
from sdlib.report import tiles_at_scale
from sdlib.report.tiles_at_scale import (
    TileRates,
    measure_cutting,
    measure_rates,
    rate_table,
    scale_table,
)

RATES = TileRates(
    size=224,
    write=1000.0,
    read=4000.0,
    decode=5000.0,
    cached=50_000.0,
    shard_bytes=20_000.0,
    index_bytes=100.0,
)


def test_hours_and_bytes_are_those_of_the_rates():
    table = scale_table(RATES, cores=2, cut=100.0)
    assert table["tiles"].tolist() == [4_700_000, 13_100_000]
    for n, line in zip(table["tiles"], table.to_dict("records"), strict=True):
        assert line["hours to write shards"] == pytest.approx(n / 1000 / 2 / 3600)
        assert line["hours of an epoch from shards"] == pytest.approx(n / 4000 / 2 / 3600)
        assert line["hours to cut slides and write"] == pytest.approx(n / 100 / 2 / 3600)
        assert line["GB in shards"] == pytest.approx(n * 20_000 / 1e9)
        assert line["GB of index"] == pytest.approx(n * 100 / 1e9)
        assert line["GB decoded"] == pytest.approx(n * 224 * 224 * 3 / 1e9)


def test_the_speed_of_memory_is_no_speed_of_a_disk():
    """Decoded sets of hundreds of GB are on a disk; the rate that was measured is of memory."""
    table = scale_table(RATES)
    assert (table["GB decoded"] > 100).all()
    hours = [name for name in table if name.startswith("hours")]
    assert hours == ["hours to write shards", "hours of an epoch from shards"]


def test_without_a_rate_of_cutting_there_is_no_such_column(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    table = scale_table(RATES)
    assert "hours to cut slides and write" not in table
    assert (
        table["hours to write shards"].tolist()
        == scale_table(RATES, 4)["hours to write shards"].tolist()
    )


def test_rates_beside_decoding_alone():
    ratios = rate_table(RATES)["times decoding alone"]
    assert ratios.tolist() == [0.2, 0.8, 1.0, 10.0]


def test_a_rate_is_measured_not_assumed(monkeypatch):
    """A writer that works for a known time has the rate of that time."""
    write = ShardWriter.write

    def slow(self, tiles):
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        return write(self, tiles)

    monkeypatch.setattr(ShardWriter, "write", slow)
    rates = measure_rates(size=32, n=10)
    assert 50 < rates.write < 10 / 0.05
    assert rates.read > rates.write


def test_the_rate_of_cutting_counts_every_tile(monkeypatch):
    monkeypatch.setattr(tiles_at_scale, "_rate", lambda n, call: (n, call()))
    n, record = measure_cutting(size=256, side=1024)
    assert n == record["tiles"] == 25  # steps of 205 px: 0, 205, 410, 615, 820
    assert record["background"] == 0
    with pytest.raises(ConfigError, match="expected side"):
        measure_cutting(side=100)


def test_bytes_per_tile_are_those_of_the_files(monkeypatch):
    sizes = []
    index_of = tiles_at_scale.write_index

    def spy(folder, sets):
        index = index_of(folder, sets)
        sizes.append((folder / index.shards[0].name).stat().st_size)
        return index

    monkeypatch.setattr(tiles_at_scale, "write_index", spy)
    rates = measure_rates(size=32, n=16)
    assert rates.shard_bytes == sizes[0] / 16
    # 20 bytes of place, 8 each of target, x and y, and 10 letters of 4 bytes.
    assert rates.index_bytes == 20 + 3 * 8 + 4 * len("patient 10")


@pytest.mark.parametrize("values", [{"cores": 0}, {"cores": 1.5}, {"cut": 0.0}, {"cut": -1.0}])
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match="expected"):
        scale_table(RATES, **values)
