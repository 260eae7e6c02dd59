"""The sentences and tables of the page on shifts: true of the numbers that they are made of."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sdlib import results
from sdlib.experiments import Run
from sdlib.report.robustness import readings as shift_readings
from sdlib.report.robustness.statistics import differences
from sdlib.results import RECORDED, THIS_RUN, Place
from sdlib.results.sharpness import Sharpness, write_sharpness
from sdlib.training import sharpness
from tests.report.robustness.written_sweeps import (
    EMPTY,
    NAMES,
    SD,
    WD,
    falling,
    logits_of,
    place_with,
    sweep_of,
)


def read_curves(sweep, *arms):
    return shift_readings.read_curves(place_with(sweep), arms)


class TestReadCurves:
    def test_says_the_strongest_level_and_the_first_one_below_halfway(self):
        text = read_curves(sweep_of(**{WD: falling()}), WD, SD)
        blurs = text.splitlines()[0]
        assert blurs.startswith(
            "- **blur**, n = 20: weight decay + UniformAugment 0.505 (SD 0.007)"
        )
        means = np.linspace(0.9, 0.5, 19) + 0.005
        # Accuracies are whole percents here: the tiles are 100 of either class.
        means = (np.ceil(100 * np.linspace(0.9, 0.5, 19)) / 100 + means) / 2
        first = next(n for n, m in zip(range(2, 21), means, strict=True) if m < (0.905 + 0.5) / 2)
        found = int(blurs.rsplit("n = ", 1)[1].rstrip("."))
        assert abs(found - first) <= 1
        assert "spectral" not in text
        assert [line.split("**")[1] for line in text.splitlines()] == [
            "blur",
            "sharpen",
            "haematoxylin",
            "eosin",
        ]

    def test_a_flat_curve_is_never_below_halfway(self):
        text = read_curves(sweep_of(**{WD: falling(to=0.85)}), WD)
        assert text.count("never below halfway to chance") == 4

    def test_networks_that_know_nothing_cannot_lose_it(self):
        text = read_curves(sweep_of(**{WD: falling(0.5, 0.52)}), WD)
        assert text.count("hardly above chance without a shift") == 4

    def test_one_seed_is_said_to_be_one(self):
        sweep = sweep_of(**{WD: falling()})
        del sweep.logits[WD, 1]
        assert "0.500 (one seed)" in read_curves(sweep, WD)

    def test_a_sweep_of_one_shift_is_read_alone(self, blurred):
        text = shift_readings.read_curves(blurred, blurred.arms)
        assert text.startswith("- **blur**, n = 20: ")
        assert len(text.splitlines()) == 1
        table = shift_readings.curve_table(blurred, blurred.arms)
        assert list(table.index) == ["no shift", "blur, n = 20"]
        assert table.notna().all(axis=None)

    def test_nothing_to_read_is_an_empty_text(self):
        assert read_curves(EMPTY, WD) == ""


class TestPower:
    def test_places_with_two_seeds_of_both_arms_are_compared(self):
        whole = sweep_of(**{WD: falling(0.6), SD: falling(0.7)})
        half = replace(whole, logits={k: v for k, v in whole.logits.items() if k[1] == 0})
        sweeps = {"smoke": whole, "quick": half, "laptop": EMPTY}
        places = [place_with(sweep, profile) for profile, sweep in sweeps.items()]
        assert list(shift_readings.difference_tables(places, SD, WD)) == [places[0].name]

    def test_a_line_has_the_papers_number_ours_and_what_could_be_seen(self):
        sweep = sweep_of(3, **{WD: falling(0.6), SD: falling(0.7)})
        sweep.logits[SD, 2] = logits_of(falling(0.68))
        found = differences(sweep, SD, WD)
        table = shift_readings.power_table({"here": found}, SD, WD)
        line, own = table.loc[("here", "blur-19")], found.set_index("level").loc["blur-19"]
        assert own["low"] < own["mean"] < own["high"]
        assert line["paper"] == "+12.4"
        mean, low, high = 100 * own[["mean", "low", "high"]]
        assert line.iloc[1] == f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
        assert own["detectable"] > 0
        assert line.iloc[2] == f"{100 * own['detectable']:.1f}"
        assert line["seeds"] == 3
        assert not len(shift_readings.power_table({}, SD, WD))

    def test_two_seeds_have_no_interval(self):
        found = differences(sweep_of(2, **{WD: falling(0.6), SD: falling(0.7)}), SD, WD)
        line = shift_readings.power_table({"here": found}, SD, WD).loc[("here", "blur-19")]
        own = found.set_index("level").loc["blur-19"]
        assert line.iloc[1] == f"{100 * own['mean']:+.1f}, no interval"
        assert line["seeds"] == 2

    def test_levels_where_every_network_is_at_chance_say_so(self):
        weak, strong = falling(0.6), falling(0.7)
        for accuracies in (weak, strong):
            accuracies[NAMES.index("blur-19")] = 0.49  # further seeds: .50 and .51
        found = differences(sweep_of(3, **{WD: weak, SD: strong}), SD, WD)
        table = shift_readings.power_table({"here": found}, SD, WD)
        heading = "smallest effect seen with 80% power"
        at_chance = table.index[table[heading] == "at chance"]
        assert list(at_chance) == [("here", "blur-19")]
        assert table.loc[("here", "blur-19")].iloc[1] == "+0.0 [+0.0, +0.0]"

    def test_levels_that_were_not_swept_are_left_out(self):
        found = differences(sweep_of(3, **{WD: falling(0.6), SD: falling(0.7)}), SD, WD)
        table = shift_readings.power_table({"here": found[found["level"] != "blur-19"]}, SD, WD)
        assert "blur-19" not in table.index.get_level_values(1)
        assert len(table) == 3


class TestConvergence:
    @pytest.fixture
    def read(self, monkeypatch):
        def read(**columns):
            table = pd.DataFrame(columns)
            monkeypatch.setattr(shift_readings, "convergence", lambda place: table)
            return shift_readings.read_convergence(place_with(sweep_of(**{WD: falling()})))

        return read

    def test_changes_margins_and_shares_are_named(self, read):
        text = read(
            before=[0.5, 0.4],
            **{"last loss": [0.4, 0.396], "margin": [2.0, 3.0], "above": [0.25, 0.1]},
            cap=[np.nan, 4.0],
        )
        assert "changed by -20.0% to -1.0%, by more than 5% in 1 of 2 arms" in text
        assert "mean margins of 75% of their cap" in text
        assert "Without it 25% of validation tiles lie beyond" in text

    def test_different_arms_make_a_span(self, read):
        losses = {"before": [0.5, 0.5], "last loss": [0.5, 0.5], "margin": [2.0, 3.0]}
        assert "Without it 10% to 25% of" in read(**losses, above=[0.25, 0.1], cap=np.nan)

    def test_only_what_is_there_is_spoken_of(self, read):
        kept = {"before": [0.5], "last loss": [0.5], "margin": [2.0], "above": [0.2]}
        assert "Without it" not in read(**kept, cap=[4.0])
        assert "cap." not in read(**kept, cap=[np.nan])
        assert read(**kept | {"before": [np.nan]}, cap=[4.0]) == ""  # one epoch has no change
        assert shift_readings.read_convergence(place_with(EMPTY)) == ""


class TestSweepSentence:
    def test_without_rows_it_is_their_command(self, outputs, recorded):
        own = Place("robustness", "quick", "phantom", THIS_RUN)
        assert shift_readings.sweep_sentence(own) == results.sentence(own)

    def test_rows_without_a_sweep_name_its_command(self, recorded, row_of):
        rows = Place("robustness", "quick", "open")
        line = json.dumps(row_of(Run("robustness", WD, 0, "quick", "open")))
        rows.recorded_file(".jsonl").write_text(line)
        sentence = results.sentence(rows)
        assert "1 runs" in sentence
        text = shift_readings.sweep_sentence(rows)
        assert text.startswith(f"{sentence} They were not swept")
        assert "`python -m sdlib measure robustness/sweep --profile quick --source open`" in text
        vars(rows)["sweep"] = sweep_of(**{WD: falling()})
        assert shift_readings.sweep_sentence(rows) == sentence


class TestSharpnessOf:
    @pytest.fixture
    def few(self, outputs, recorded, monkeypatch):
        """Measurements without tiles: a set's values say how it came to be measured."""
        calls = []

        def measured(profile, source):
            calls.append((profile, source))
            values = np.linspace(1, 2, 4, dtype=np.float32)
            groups = np.arange(4, dtype=np.int16)
            return {n: Sharpness(n, values + k, groups) for k, n in enumerate(("A", "B"))}

        monkeypatch.setattr(sharpness, "measured", measured)
        return calls

    def test_phantoms_are_measured_where_nothing_is_stored(self, few):
        found = shift_readings.sharpness_of("phantom", "quick")
        assert few == [("smoke", "phantom")]
        assert set(found.sets) == {"A", "B"}
        assert found.place is None
        assert len(found.pairs) == 1
        assert "measured by this page" in found.sentence

    def test_real_tiles_are_not(self, few):
        found = shift_readings.sharpness_of("open", "quick")
        assert few == []
        assert (found.sets, len(found.pairs), found.place) == ({}, 0, None)
        command = "python -m sdlib measure robustness/sharpness --profile laptop --source open"
        assert command in found.sentence

    def test_recorded_comes_first_unless_this_run_is_wanted(self, few):
        recorded = Place("robustness", "laptop", "open", RECORDED)
        own = Place("robustness", "quick", "open", THIS_RUN)
        for place in (recorded, own):
            write_sharpness(place, sharpness.measured("smoke", "open"))
        few.clear()
        assert shift_readings.sharpness_of("open", "quick").place == recorded
        found = shift_readings.sharpness_of("open", "quick", THIS_RUN)
        assert found.place == own
        assert "at least 4 tiles per set" in found.sentence
        assert few == []


class TestWhatIsDrawn:
    """The same numbers as in the sentences and tables, as values."""

    def test_the_small_table_has_the_strongest_level_of_every_shift(self):
        place = place_with(sweep_of(**{WD: falling(to=0.6), SD: falling(to=0.75)}))
        table = shift_readings.curve_table(place, [SD, "sd_eq1_none", WD])
        assert list(table.columns) == [place.label(SD), place.label(WD)]
        assert list(table.index) == [
            *("no shift", "blur, n = 20", "sharpen, α = 1", "haematoxylin, × 0", "eosin, × 0"),
        ]
        for arm, strongest in ((WD, 0.6), (SD, 0.75)):  # the second seed is a point better
            means = [float(text) for text in table[place.label(arm)]]
            assert means == pytest.approx([0.905, *[strongest + 0.005] * 4], abs=0.0101)
        assert shift_readings.curve_table(place_with(EMPTY), [SD]).empty

    def test_gains_have_the_papers_levels_and_its_differences(self):
        place = place_with(sweep_of(3, **{WD: falling(to=0.6), SD: falling(to=0.75)}))
        panels, paper = shift_readings.gain_panels([place, place_with(EMPTY, "quick")], SD, WD)
        assert paper["sharpen, α = 1"] == pytest.approx(0.046)
        assert list(panels[place.name]) == list(paper)
        assert panels[place.name]["sharpen, α = 1"] == pytest.approx([0.15] * 3, abs=0.011)
        assert panels["recorded: phantom, quick"] == {}
