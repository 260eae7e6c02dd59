"""Two arms compared over shifts: what is said and drawn is what their intervals say."""

from dataclasses import replace

from sdlib.metrics import mean_interval
from sdlib.report.robustness import arm_pairs
from tests.report.robustness.written_sweeps import (
    EMPTY,
    SD,
    WD,
    falling,
    logits_of,
    place_with,
    sweep_of,
)


class TestComparisons:
    def test_cells_are_paired_means_over_a_shifts_levels(self):
        sweep = sweep_of(3, **{WD: falling(0.6), SD: falling(0.7)})
        # Apart from rounding the arms' seeds move alike: one seed of SD is a little worse.
        sweep.logits[SD, 2] = logits_of(falling(0.68))
        here, gone = place_with(sweep), place_with(EMPTY, "quick")
        table = arm_pairs.comparison_table([here, gone], [(SD, WD)])
        assert table.index.tolist() == [(f"{here.label(SD)}, minus {here.label(WD)}", here.name)]
        accuracy = sweep.accuracy()
        blurs = accuracy[accuracy["shift"] == "blur"].groupby(["arm", "seed"])["accuracy"].mean()
        expected = mean_interval(100 * (blurs[SD] - blurs[WD]).to_numpy())
        assert table.iloc[0]["blur"] == (
            f"{expected.mean:+.1f} [{expected.low:+.1f}, {expected.high:+.1f}]"
        )
        clean = mean_interval([0.0, 0.0, -2.0])
        assert table.iloc[0]["no shift"] == f"-0.7 [{clean.low:+.1f}, {clean.high:+.1f}]"
        assert table.iloc[0]["seeds"] == 3

    def test_what_is_certain_is_what_the_intervals_say(self):
        sweep = sweep_of(3, **{WD: falling(0.6), SD: falling(0.7)})
        sweep.logits[SD, 2] = logits_of(falling(0.68))
        here, few = place_with(sweep), place_with(sweep_of(2, **{WD: falling(), SD: falling()}))
        said = arm_pairs.read_pair([here, few], SD, WD)
        assert said.startswith(f"- **{here.name}**, {here.label(SD)} minus {here.label(WD)}, ")
        assert "n = 3: " in said
        assert len(said.splitlines()) == 1  # two seeds have no interval
        found = {"no shift": here.paired("clean", SD, WD)}
        found |= {shift: here.paired(shift, SD, WD) for shift in ("blur", "sharpen", "eosin")}
        certain = 0
        for shift, values in found.items():
            one = mean_interval(100 * values)
            text = f"{shift} {one.mean:+.1f} ({one.low:+.1f} to {one.high:+.1f})"
            assert (text in said) == (one.low > 0 or one.high < 0)
            certain += text in said
        assert 0 < certain < len(found)
        same = arm_pairs.read_pair([here], WD, WD)
        assert same.endswith("no difference is certain.")

    def test_two_seeds_have_a_mean_without_an_interval(self):
        sweep = sweep_of(2, **{WD: falling(0.6), SD: falling(0.7)})
        cells = arm_pairs.comparison_table([place_with(sweep)], [(SD, WD)]).iloc[0]
        accuracy = sweep.accuracy()
        blurs = accuracy[accuracy["shift"] == "blur"].groupby("arm")["accuracy"].mean()
        assert cells["blur"] == f"{100 * (blurs[SD] - blurs[WD]):+.1f}"
        assert cells["no shift"] == "+0.0"
        assert cells["seeds"] == 2

    def test_absent_arms_and_places_have_no_line(self):
        sweep = sweep_of(**{WD: falling()})
        assert not len(arm_pairs.comparison_table([place_with(sweep)], [(SD, WD)]))
        assert not len(arm_pairs.comparison_table([], [(SD, WD)]))

    def test_comparisons_have_the_values_of_the_table(self):
        place = place_with(sweep_of(3, **{WD: falling(to=0.6), SD: falling(to=0.75)}))
        panels = arm_pairs.comparison_panels(place, {"gain": (SD, WD)})
        table = arm_pairs.comparison_table([place], [(SD, WD)]).iloc[0]
        assert list(panels) == ["no shift", "blur", "sharpen", "haematoxylin", "eosin"]
        for found, cell in zip(panels.values(), table[1:], strict=True):
            assert cell.startswith(f"{100 * found['gain'].mean():+.1f}")


class TestSomeShiftsSwept:
    def test_the_table_has_their_columns_and_counts_seeds_on_unshifted_tiles(self, blurred):
        table = arm_pairs.comparison_table([blurred], [("firm", "plain")])
        assert list(table.columns) == ["seeds", "no shift", "blur"]
        assert table.iloc[0]["seeds"] == 3
        mean = 100 * blurred.paired("blur", "firm", "plain").mean()
        assert table.iloc[0]["blur"].startswith(f"{mean:+.1f} [")

    def test_beside_a_place_with_all_shifts_the_others_cells_are_dashes(self):
        whole = sweep_of(3, **{WD: falling(0.6), SD: falling(0.7)})
        some = [k for k, name in enumerate(whole.levels) if name.startswith(("clean", "eosin"))]
        logits = {key: values[some] for key, values in whole.logits.items()}
        levels = tuple(whole.levels[k] for k in some)
        stained = place_with(replace(whole, levels=levels, logits=logits), "quick")
        table = arm_pairs.comparison_table([stained, place_with(whole)], [(SD, WD)])
        shifts = ["blur", "sharpen", "haematoxylin", "eosin"]
        assert list(table.columns) == ["seeds", "no shift", *shifts]
        assert (table[shifts] == "–").to_numpy().tolist() == [[True] * 3 + [False], [False] * 4]

    def test_panels_and_sentences_are_about_them_alone(self, blurred):
        panels = arm_pairs.comparison_panels(blurred, {"gain": ("firm", "plain")})
        assert list(panels) == ["no shift", "blur"]
        said = arm_pairs.read_pair([blurred], "firm", "plain")
        assert "n = 3: " in said
        assert "sharpen" not in said
