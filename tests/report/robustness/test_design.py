"""How the experiment is set up, as the page says it: true of what networks are trained on."""

import json

import numpy as np

from sdlib.experiments import Run
from sdlib.report.robustness import design
from sdlib.results import Place
from sdlib.shifts import blur, blur_width

SD, WD = "sd_eq1_uniform", "weight_decay_uniform"


class TestScale:
    def test_widths_that_change_nothing_are_named(self):
        text = design.scale(Place("robustness", "laptop", "phantom"))
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        idle = [n for n in range(2, 21) if (blur(image, blur_width(n, 64)) == image).all()]
        assert f"below 1 px (n = {', '.join(map(str, idle))}) nothing changes" in text
        assert "(n = 7, 14) has no pixel in its middle" in text
        assert "64 x 64 px" in text
        assert "10.5 px at 224 px" in text

    def test_at_the_papers_size_every_blur_counts(self):
        text = design.scale(Place("robustness", "paper", "pcam"))
        assert "n = 20 is 20.0 px wide. The sharpening kernel stays 3 px wide" in text

    def test_tiles_of_patchcamelyon_keep_their_size(self):
        assert design.input_size(Place("robustness", "laptop", "open")) == 96


class TestArms:
    def test_arms_without_rows_have_the_settings_that_are_planned(self, recorded):
        table = design.arm_table(Place("robustness", "smoke", "phantom"))
        assert table.loc["weight decay + UniformAugment", "weight_decay"] == 1e-4
        assert table.loc["SD Eq. 1, no augmentation", "augmentation"] == "none"
        assert table.loc["SD Eq. 1 + UniformAugment with blur", "augmentation"] == "uniform_blur"
        assert (table["seeds"] == 0).all()

    def test_arms_with_rows_have_what_they_were_trained_with(self, recorded, row_of):
        place = Place("robustness", "smoke", "phantom")
        epochs = [{"train_loss": loss} for loss in (0.5, 0.4)]
        rows, arrays = [], {"validation.targets": np.array([0, 1], np.int8)}
        for seed in (0, 1):
            run = Run("robustness", SD, seed, "smoke")
            rows.append(row_of(run, test__accuracy=0.9) | {"history": epochs})
            arrays[f"{SD}/seed{seed}/validation.logits"] = np.array([-1.0, 2.0])
        place.recorded_file(".jsonl").write_text("\n".join(map(json.dumps, rows)))
        np.savez(place.recorded_file(".npz"), **arrays)
        table = design.arm_table(place)
        assert len(table) == len(place.definition.arms)
        line = table.loc[place.label(SD)]
        assert (line["lam"], line["weight_decay"], line["seeds"]) == (0.01, "", 2)
        assert (line["before"], line["last loss"], line["margin"]) == (0.5, 0.4, 1.5)
        assert table.loc[place.label(WD), "margin"] == ""


def test_every_operation_has_its_range_and_its_counterpart_in_pillow():
    table = design.operation_table()
    assert len(table) == 15
    assert table.loc["sharpness"].tolist() == [
        "0.1 to 1.9",
        "factor, 1 changes nothing",
        "ImageEnhance.Sharpness",
    ]
    assert table.loc["invert", "magnitude"] == ""
    assert "blur" not in table.index
