"""Columns that predict the label: the AUROC against scikit-learn, the test against chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from sdlib.datasets.folder_checks import Grade, check_folder
from sdlib.datasets.folder_checks.columns import manifest_columns
from sdlib.datasets.folder_checks.predictors import group_folds, predict_label


def silent(line):
    """Take a line of progress."""


def test_few_groups_are_judged_as_they_are():
    """Four groups: no folds, and the AUROC of the shares themselves."""
    targets = np.array([0, 0, 1, 0, 1, 1, 1, 0])
    values = np.array(list("aabbbbcc"))
    found = predict_label(targets, np.repeat(list("wxyz"), 2), values)
    shares = {name: targets[values == name].mean() for name in "abc"}
    assert not found.by_new_groups
    assert found.auroc == roc_auc_score(targets, [shares[value] for value in values])
    assert found.mixed == 0.75
    assert found.p > 0.05


def test_many_groups_are_judged_on_new_ones():
    """By scikit-learn: shares of the other folds, the mean of the folds' AUROCs."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 400)
    targets = rng.integers(0, 2, 400)
    values = np.where(rng.random(400) < 0.3, targets, rng.integers(0, 3, 400))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    wanted, pairs = [], []
    for learnt, tested in folds.split(targets, targets, groups):
        scores = []
        for value in values[tested]:
            own = targets[learnt][values[learnt] == value]
            scores.append((own.sum() + targets[learnt].mean()) / (len(own) + 1))
        wanted.append(roc_auc_score(targets[tested], scores))
        pairs.append(targets[tested].sum() * (1 - targets[tested]).sum())
    found = predict_label(targets, groups, values)
    assert found.by_new_groups
    assert found.auroc == pytest.approx(np.average(wanted, weights=pairs))
    assert found.p == 0.001


def test_twenty_categories_of_thirty_images_raise_no_alarm_by_chance():
    rng = np.random.default_rng(1)
    ps, aurocs = [], []
    for _ in range(40):
        targets = rng.permutation(np.arange(30) % 2)
        found = predict_label(targets, np.arange(30), rng.integers(0, 20, 30))
        ps.append(found.p)
        aurocs.append(found.auroc)
    assert np.mean(np.array(ps) <= 0.05) <= 0.15  # 2 of 40 are expected; 6 is the 99 % bound
    assert abs(np.mean(aurocs) - 0.5) < 0.08


def test_images_of_a_patient_count_as_one():
    """Ten patients of 50 images: by images, their scanners would tell the label beyond doubt."""
    rng = np.random.default_rng(2)
    ps = []
    for _ in range(40):
        label, scanner = rng.permutation(np.arange(10) % 2), rng.integers(0, 2, 10)
        if len(set(scanner)) == 2:
            groups = np.repeat(np.arange(10), 50)
            ps.append(predict_label(label[groups], groups, scanner[groups]).p)
    assert np.mean(np.array(ps) <= 0.05) <= 0.15


def test_folds_need_groups_of_both_classes():
    assert group_folds(np.array([0] * 20 + [1] * 4), np.arange(24)) == []
    assert len(group_folds(np.array([0] * 20 + [1] * 5), np.arange(25))) == 5


def findings(folder, check="sources", **options):
    report = check_folder(folder.write(), log=silent, **options)
    return [found for found in report.findings if found.check == check]


ALIKE = (
    "Not tested, because all images have the same: file format, image size, image shape, grey or "
    "colour."
)


def test_a_scanner_of_the_sick_alone(folder):
    folder.column("scanner", ["S60" if label == "1" else "XR" for label in folder.values("label")])
    found = findings(folder)
    assert [one.grade for one in found] == [Grade.MEND, Grade.FINE]
    assert found[1].sentence == ALIKE
    assert "column scanner alone predicts the label with an AUROC of 1.00" in found[0].sentence


def test_a_scanner_that_tells_a_part(folder):
    labels = folder.values("label")
    patients = {group: i for i, group in enumerate(dict.fromkeys(folder.values("group")))}
    mixed = [
        label if patients[group] % 3 else "0"
        for label, group in zip(labels, folder.values("group"), strict=True)
    ]
    found = findings(folder.column("centre", mixed))
    assert [one.grade for one in found] == [Grade.LOOK, Grade.FINE, Grade.FINE]
    assert "column centre alone" in found[0].sentence
    assert "a part of any result may be its own" in found[0].sentence


def test_a_diagnosis_is_no_source(folder):
    words = ["adenoma" if label == "1" else "none seen" for label in folder.values("label")]
    found = findings(folder.column("finding", words))
    assert [one.grade for one in found] == [Grade.LOOK, Grade.FINE, Grade.FINE]
    assert "the diagnosis by another name" in found[0].sentence


def test_numbers_are_taken_in_fifths(folder):
    rng = np.random.default_rng(0)
    ages = [f"{rng.normal(70 if label == '1' else 40, 8):.1f}" for label in folder.values("label")]
    found = findings(folder.column("age", ages))
    assert found[0].grade == Grade.LOOK
    assert "column age alone predicts the label with an AUROC of 0.9" in found[0].sentence


def test_a_column_of_its_own_value_for_every_image_is_not_tested(folder):
    found = findings(folder.column("sha256", [f"x{i}" for i in range(100)]))
    sentences = [one.sentence for one in found]
    assert "Not tested, because of too many values: column sha256." in sentences


def test_a_column_of_one_value_is_not_tested(folder):
    sentences = [one.sentence for one in findings(folder.column("stain", ["H&E"] * 100))]
    assert ALIKE.replace("same: ", "same: column stain, ") in sentences


def test_images_of_one_class_leave_nothing_to_test(folder):
    for number, row in enumerate(folder.rows):
        if row[1] == "1":
            (folder.path / f"{number}.png").write_bytes(b"")
    sentences = [one.sentence for one in findings(folder)]
    wanted = ALIKE.replace(
        "all images have the same", "all images that can be read are of one class"
    )
    assert wanted in sentences


def counts_of(labels):
    """Lesions: none in negative images, in positive ones a number of its own for each."""
    positive = iter(range(1, 101))
    return ["0" if label == "0" else str(next(positive)) for label in labels]


@pytest.mark.parametrize("negative", [50, 85])
def test_a_number_of_most_images_is_a_bin_of_its_own(folder, negative):
    """With 85 images of no lesion, all ends of fifths but the last are 0."""
    labels = folder.column("label", [int(i >= negative) for i in range(100)]).values("label")
    folder.column("group", range(100))
    found = findings(folder.column("lesions", counts_of(labels)))
    assert found[0].grade == Grade.LOOK
    assert "column lesions alone predicts the label with an AUROC of 1.00" in found[0].sentence


def binned(values):
    """A column as it is tested."""
    [(_, found)] = manifest_columns(SimpleNamespace(table=pd.DataFrame({"count": values})))
    return found


def test_bins_of_numbers():
    """Numbers of more than a fifth are bins of their own; the rest is divided evenly."""
    rest = [str(number) for number in range(3, 43)]
    values = pd.Series([*["1"] * 30, *["2.0"] * 30, *rest, ""])
    sizes = binned(values).value_counts()
    assert sizes[["1.0", "2.0", ""]].tolist() == [30, 30, 1]
    assert sorted(sizes.drop(["1.0", "2.0", ""])) == [13, 13, 14]
    assert sorted(binned(pd.Series(range(50)).astype(str)).value_counts()) == [10] * 5
    few = pd.Series(["1", "2", ""] * 20)
    assert binned(few).tolist() == few.tolist()
    assert set(binned(pd.Series([f"1.{'0' * digits}" for digits in range(20)]))) == {"1.0"}


def test_scanners_that_are_separated_in_few_groups(folder):
    for i, row in enumerate(folder.rows):
        row[2] = f"p{int(row[1])}{i % 2}"
        row[3] = "AB"[int(row[1])]
    found = findings(folder)
    assert [one.grade for one in found] == [Grade.LOOK, Grade.FINE]
    assert "too few groups to say whether that is chance" in found[0].sentence


def test_without_a_column_of_the_scanner(folder):
    folder.header[3] = "colour"
    assert findings(folder)[-1].grade == Grade.LOOK
    assert findings(folder)[-1].sentence.startswith("No column tells the scanner")


def test_a_file_format_that_tells_the_label(folder):
    for number, row in enumerate(folder.rows):
        if row[1] == "1":
            folder.save(f"{number}.jpg", folder.image(number), quality=95)
            row[0] = f"{number}.jpg"
    found = findings(folder)
    assert found[0].grade == Grade.LOOK
    assert "file format alone predicts the label with an AUROC of 1.00" in found[0].sentence
    assert "convert all images in one way" in found[0].sentence
