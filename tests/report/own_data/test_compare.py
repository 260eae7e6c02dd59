"""From a folder to its page: numbers against scikit-learn, escaping, resumption, bad folders."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit
from sklearn import metrics as sk
from typer.testing import CliRunner

from sdlib.__main__ import app
from sdlib.datasets.folder_names import file_name, folder_name
from sdlib.errors import SdlibError
from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.own_data import OWN_DATA
from sdlib.experiments.searches import Space
from sdlib.report.own_data import compare
from sdlib.report.own_data.compare import compare_folder
from sdlib.report.own_data.findings import MOVED
from sdlib.report.own_data.page import write_html
from sdlib.report.own_data.verdict import points
from sdlib.theory.optima import resting_logits
from sdlib.training.lock import only_process
from tests.folders import lopsided, write_folder, write_manifest

BAD = "<script>alert('x')&"
UNBROKEN = "\N{NO-BREAK SPACE}"
SEEDS, RIVAL, ARM = range(3), "weight_decay", "sd_eq1"


class Page(HTMLParser):
    """The elements of a page, its text, and the cells of its tables by heading of the row."""

    def __init__(self, content):
        super().__init__()
        self.elements, self.words, self.rows, self._row, self._cell = [], [], [], None, None
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._cell = None

    def handle_data(self, data):
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def row(self, heading):
        return next(row[1:] for row in self.rows if row and row[0] == heading)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A folder with tags in its texts, compared once: its rows, outputs, page and findings."""
    folder = tmp_path_factory.mktemp("images") / "my <b>images"
    centres = [f"{BAD} {number % 2}" for number in range(80)]
    rows = write_folder(
        folder,
        each=4,
        labels=("benign", f"{BAD} tumour"),
        columns={"centre": centres, "finding": [str(number // 4 % 2) for number in range(80)]},
        group=f"{BAD} {{}}",
        file=f"{BAD} {{}}.png",
    )
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        lines, findings = [], []

        def write(found, *rest, **named):
            findings.append(found)
            return write_html(found, *rest, **named)

        patch.setattr(compare, "write_html", write)
        page, sentence = compare_folder(
            folder, "smoke", [f"{BAD} tumour"], search=False, out=out, log=lines.append
        )
    outputs = out / file_name(folder_name(folder, [f"{BAD} tumour"])) / "smoke" / "own_data"
    content = page.read_text(encoding="utf-8")
    return folder, rows, outputs, content, sentence, lines, findings[0]


@pytest.fixture(scope="module")
def page(compared):
    return Page(compared[3])


@pytest.fixture(scope="module")
def arrays(compared):
    """Predictions by arm and seed, with targets and groups, as the runs have left them."""
    outputs = compared[2]
    found = {}
    for arm in (RIVAL, ARM):
        for seed in SEEDS:
            run = outputs / arm / f"seed{seed}"
            with np.load(run / "predictions.npz") as some, np.load(run / "targets.npz") as others:
                found[arm, seed] = {**some, **others}
    return found


def interval(by_seed, without):
    """Mean and ends by hand: Student over seeds, a jackknife over patients."""
    by_seed, without = np.array(by_seed), np.array(without)
    patients = len(without)
    over_patients = (patients - 1) / patients * ((without - without.mean()) ** 2).sum()
    error = np.sqrt(by_seed.var(ddof=1) / len(by_seed) + over_patients)
    half = stats.t.ppf(0.975, min(len(by_seed), patients) - 1) * error
    return by_seed.mean(), by_seed.mean() - half, by_seed.mean() + half


def paired(arrays, measure):
    """Differences of ``measure(arrays, kept)`` between the arms, with their interval, as text."""
    groups = arrays[ARM, 0]["test.groups"]

    def differences(kept):
        return [
            measure(arrays[ARM, seed], kept) - measure(arrays[RIVAL, seed], kept) for seed in SEEDS
        ]

    everything = np.ones(len(groups), bool)
    without = [np.mean(differences(groups != patient)) for patient in np.unique(groups)]
    mean, low, high = map(signed, interval(differences(everything), without))
    return f"{mean} ({low} to {high})".replace(" ", UNBROKEN)


def signed(fraction):
    """In points; what is rounded to nothing has no sign."""
    rounded = round(100 * fraction, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def at_half(one, kept):
    positive = expit(one["test.logits"].astype(float))[kept] >= 0.5
    return sk.balanced_accuracy_score(one["test.targets"][kept], positive)


def at_tuned(one, kept):
    """Every cut-off between two scores is tried on validation; the nearest to .5 is kept."""
    seen = expit(one["validation.logits"].astype(float))
    ends = np.concatenate([[0], np.unique(seen), [1]])
    cutoffs = (ends[1:] + ends[:-1]) / 2
    gains = [
        sk.balanced_accuracy_score(one["validation.targets"], seen >= cutoff) for cutoff in cutoffs
    ]
    best = cutoffs[np.isclose(gains, max(gains))]
    cutoff = best[np.argmin(np.abs(best - 0.5))]
    positive = expit(one["test.logits"].astype(float))[kept] >= cutoff
    return sk.balanced_accuracy_score(one["test.targets"][kept], positive)


class TestNumbers:
    @pytest.mark.parametrize(
        ("heading", "measure"),
        [
            ("balanced accuracy", at_half),
            (
                "recall",
                lambda one, kept: sk.recall_score(
                    one["test.targets"][kept], one["test.logits"][kept] >= 0
                ),
            ),
            (
                "specificity",
                lambda one, kept: sk.recall_score(
                    one["test.targets"][kept], one["test.logits"][kept] >= 0, pos_label=0
                ),
            ),
            (
                "AUROC",
                lambda one, kept: sk.roc_auc_score(
                    one["test.targets"][kept], one["test.logits"][kept]
                ),
            ),
            (
                "Brier score (lower is better)",
                lambda one, kept: sk.brier_score_loss(
                    one["test.targets"][kept], expit(one["test.logits"].astype(float))[kept]
                ),
            ),
        ],
    )
    def test_the_paired_table(self, page, arrays, heading, measure):
        everything = np.ones(len(arrays[ARM, 0]["test.targets"]), bool)
        cells = []
        for arm in (RIVAL, ARM):
            values = [measure(arrays[arm, seed], everything) for seed in SEEDS]
            cells.append(f"{np.mean(values):.3f} ({np.std(values, ddof=1):.3f})")
        assert page.row(heading) == [paired(arrays, measure), *cells]

    def test_the_first_sentence(self, page, arrays, compared):
        found = paired(arrays, at_half).replace(UNBROKEN, " ")
        groups = len(np.unique(arrays[ARM, 0]["test.groups"]))
        assert f"minus that of weight decay is {found} points" in page.text
        assert f"over 3 seeds and {groups} test patients" in page.text
        assert found in compared[4].replace(UNBROKEN, " ")

    def test_the_cut_off_control(self, page, arrays, compared):
        assert page.row("both at .5")[0] == paired(arrays, at_half)
        assert page.row("both tuned on validation")[0] == paired(arrays, at_tuned)
        moved = points(compared[6].cutoffs[MOVED])
        assert moved == paired(arrays, lambda *one: at_half(*one) - at_tuned(*one))

    def test_the_sweep(self, page, arrays, compared):
        levels = sorted((compared[2] / "sweep").glob("*.npz"))
        shifted = {arm_seed: dict(one) for arm_seed, one in arrays.items()}
        for file in levels:
            with np.load(file) as found:
                for (arm, seed), one in shifted.items():
                    one[file.stem] = found[f"own_data/{arm}/seed{seed}"]

        def mean_over(names):
            def measure(one, kept):
                return np.mean(
                    [
                        sk.balanced_accuracy_score(one["test.targets"][kept], one[name][kept] >= 0)
                        for name in names
                    ]
                )

            return measure

        names = [file.stem for file in levels]
        assert len(names) == 13
        blurred = [name for name in names if name.startswith("blur")]
        assert page.row("blur")[0] == paired(shifted, mean_over(blurred))
        assert page.row("all levels of shift")[0] == paired(shifted, mean_over(names))
        assert page.row("unshifted (the price)")[0] == paired(arrays, at_half)

    def test_margins_against_the_cap(self, page, arrays):
        for arm, label in ((RIVAL, "weight decay"), (ARM, "SD Eq. 1, paper's λ")):
            margins = np.concatenate(
                [
                    (2.0 * one[f"{part}.targets"] - 1) * one[f"{part}.logits"]
                    for part in ("validation", "test")
                    for one in (arrays[arm, seed] for seed in SEEDS)
                ]
            )
            beyond = (margins > resting_logits(0.01)[1]).mean()
            assert page.row(label) == [f"{np.median(margins):.2f}", f"{beyond:.0%}"]

    def test_images_and_patients(self, page, compared):
        rows = compared[1]
        parts = [page.row(part) for part in ("train", "validation", "test")]
        counts = np.array([[int(cell) for cell in part] for part in parts])
        assert counts[:, :2].sum() == len(rows)
        assert counts[:, 2].sum() == len({row["group"] for row in rows}) == 20


class TestPage:
    def test_texts_of_the_manifest_are_text(self, page, compared):
        content = compared[3]
        assert "<script" not in content.lower()
        assert {tag for tag, _ in page.elements} <= {
            *("html", "head", "meta", "title", "style", "body", "main", "section", "div"),
            *("h1", "h2", "p", "ol", "li", "figure", "picture", "source", "img", "figcaption"),
            *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code"),
        }
        assert f"{BAD} 0.png" in page.text or f"{BAD} 1.png" in page.text
        assert page.row(f"{BAD} 0")[0].count("+") == 1  # of the centre
        assert "on my <b>images" in page.text
        assert f"{BAD} tumour" in page.text

    def test_a_column_that_is_the_label_is_left_out(self, page):
        assert "centre" in [row[0] for row in page.rows if row]
        assert "finding" not in [row[0] for row in page.rows if row]

    def test_it_is_one_file_that_loads_nothing(self, page, compared):
        for _, attributes in page.elements:
            for name in ("src", "srcset", "href"):
                assert attributes.get(name, "data:image/png;base64,").startswith("data:image/png")
        assert not re.search(r"https?://|url\(|@import", compared[3])
        assert "default-src 'none'" in compared[3]

    def test_every_picture_is_described(self, page):
        images = [attributes for tag, attributes in page.elements if tag == "img"]
        assert len(images) == 3
        assert all(len(image["alt"]) > 20 for image in images)

    def test_it_says_what_was_done(self, page):
        for words in (
            "test_efficientnet, 32 px, from random weights",
            "Neither was tuned: weight decay 0.0001 and λ = 0.01 are the paper's values",
            "no patient is in two parts",
            "python -m sdlib compare",
            "--no-search",
            "Haematoxylin and eosin are faded",
        ):
            assert words in page.text

    def test_progress_was_told(self, compared):
        lines = compared[5]
        assert [line for line in lines if "(6 of 6)" in line]
        assert [line for line in lines if re.search(r"\(1 of 6, about .* left\)", line)]
        assert [line for line in lines if "(13 of 13)" in line]


def rows_of(outputs):
    """What must not depend on when a run was made, by run."""
    found = {}
    for file in sorted(outputs.glob("*/seed*/row.json")):
        row = json.loads(file.read_text())
        history = [{k: v for k, v in one.items() if k != "seconds"} for one in row["history"]]
        found[file.parent.relative_to(outputs)] = row["config_hash"], row["metrics"], history
    return found


class Stopped(BaseException):
    """As Ctrl-C, at a line of the log."""


def test_a_stopped_command_goes_on_to_the_same_rows(compared, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    folder, _, outputs, *_ = compared
    arguments = (folder, "smoke", [f"{BAD} tumour"], False, False, "auto", tmp_path)
    stops = iter(["seed1: test accuracy", "blur-10", "never"])
    for stop in stops:

        def log(line, stop=stop):
            if stop in line:
                raise Stopped

        try:
            compare_folder(*arguments, log=log)
        except Stopped:
            assert not list(tmp_path.rglob("*.html"))
    again = tmp_path / outputs.parent.parent.name / "smoke" / "own_data"
    assert rows_of(again) == rows_of(outputs)
    assert len(rows_of(again)) == 6
    for file in outputs.glob("*/seed*/predictions.npz"):
        with np.load(file) as one, np.load(again / file.relative_to(outputs)) as other:
            assert {name: one[name].tolist() for name in one} == {
                name: other[name].tolist() for name in other
            }
    lines = []
    compare_folder(*arguments, log=lines.append)
    assert not [line for line in lines if "test accuracy" in line or "shifted by" in line]


def test_both_are_tuned_by_as_many_trials(tmp_path, monkeypatch, outputs):
    searches = (
        Space("weight_decay", "validation", grid={"weight_decay": (0.1, 0.0)}, metric="auroc"),
        Space("sd_eq1", "validation", grid={"lam": (0.1, 0.01)}, metric="auroc"),
    )
    small = dataclasses.replace(OWN_DATA, searches=searches, overrides={"smoke": {"seeds": 1}})
    monkeypatch.setitem(EXPERIMENTS, "own_data", small)
    write_folder(tmp_path / "mine")
    path, _ = compare_folder(tmp_path / "mine", "smoke", log=lambda line: None)
    page = Page(path.read_text(encoding="utf-8"))
    assert path.parent.parent == outputs
    assert "(no interval)" in page.text.replace(UNBROKEN, " ")  # of a single seed
    assert "Each was tuned by 2 trials of 1 network" in page.text
    trials = [row for row in page.rows if row and row[0] in ("weight decay", "sd eq1")]
    chosen = [row for row in trials if row[-1] == "chosen"]
    assert (len(trials), len(chosen)) == (4, 2)
    # Without the search, the page counts the networks that it shows, and no trial.
    monkeypatch.setattr("sdlib.report.own_data.page.in_words", "{:.3f} s".format)
    path, _ = compare_folder(tmp_path / "mine", "smoke", search=False, log=lambda line: None)
    files = [*path.parent.rglob("weight_decay/*/row.json"), *path.parent.rglob("sd_eq1/*/row.json")]
    seconds = sum(json.loads(file.read_text())["seconds"] for file in files)
    assert len(files) == 2
    assert f"Training took {seconds:.3f} s on" in Page(path.read_text(encoding="utf-8")).text


class TestBadInput:
    @pytest.fixture
    def sentence(self, outputs):
        """The one sentence that the command ends with; nothing is left behind."""

        def call(*arguments):
            done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
            assert (done.exit_code, done.stdout) == (2, ""), done.output
            assert done.stderr.startswith("error: ")
            assert done.stderr.count("\n") == 1
            assert not [file for file in outputs.rglob("*") if file.is_file()]
            return done.stderr

        return call

    def test_of_the_folder(self, sentence, tmp_path):
        assert "expected a manifest at" in sentence(tmp_path / "nowhere")
        folder = tmp_path / "mine"
        rows = write_folder(folder)
        assert "expected the positive label cancer among" in sentence(
            folder, "--positive", "cancer"
        )
        write_manifest(folder, [{**row, "label": "0"} for row in rows])
        assert "expected both labels 0 and 1" in sentence(folder)
        write_manifest(folder, [{**row, "group": "one"} for row in rows])
        assert "at least 4 groups" in sentence(folder)
        write_manifest(folder, rows[:12])
        assert "images of each class" in sentence(folder) or "groups" in sentence(folder)
        write_manifest(folder, rows)
        (folder / rows[7]["file"]).unlink()
        assert "row 9 of manifest.csv" in sentence(folder)
        (folder / "manifest.csv").write_text("")
        assert "manifest.csv" in sentence(folder)

    def test_of_the_test_patients_that_are_drawn(self, outputs, tmp_path):
        rows = write_folder(tmp_path / "mine", patients=8, each=60)
        write_manifest(tmp_path / "mine", lopsided(rows))
        line = self.after_reading(tmp_path / "mine")
        assert "among the 24 that are drawn, as many of either class, got positive from 1" in line

    def test_of_an_image(self, sentence, tmp_path):
        rows = write_folder(tmp_path / "mine")
        (tmp_path / "mine" / rows[7]["file"]).write_bytes(b"no image")
        assert "row 9 of manifest.csv" in self.after_reading(tmp_path / "mine")

    def after_reading(self, folder):
        """The sentence where images are read first, which the log tells."""
        done = CliRunner().invoke(app, ["compare", str(folder), "--profile", "smoke"])
        assert done.exit_code == 2
        return done.stderr.splitlines()[-1]

    def test_of_the_options(self, sentence, tmp_path):
        write_folder(tmp_path / "mine")
        assert "unknown profile 'fast'" in sentence(tmp_path / "mine", "--profile", "fast")
        assert "unknown choice for stains" in sentence(tmp_path / "mine", "--stain", "maybe")
        file = tmp_path / "file"
        file.write_text("a note")
        assert "is a file, not a folder" in sentence(tmp_path / "mine", "--out", file / "results")


def test_ctrl_c_is_a_sentence(outputs, tmp_path, monkeypatch):
    write_folder(tmp_path / "mine")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sdlib.training.comparison.training.execute", interrupted)
    arguments = ["compare", str(tmp_path / "mine"), "--profile", "smoke", "--no-search"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 130
    assert done.stderr.endswith("stopped: the same command goes on from here\n")
    assert not list(outputs.rglob("*.html"))
    assert not list(outputs.rglob("*.lock"))


def hold(path, held, done):
    """Hold the lock of a comparison in a process of its own."""
    with only_process(path, "a comparison"):
        held.set()
        done.wait(60)


def test_another_process_at_the_same_comparison_is_told(outputs, tmp_path, processes):
    write_folder(tmp_path / "mine")
    lock = outputs / file_name(folder_name(tmp_path / "mine")) / ".comparison.lock"
    held, done = processes.event(), processes.event()
    other = processes(hold, lock, held, done)
    other.start()
    assert held.wait(60)
    with pytest.raises(SdlibError, match=f"at work in process {other.pid}"):
        compare_folder(tmp_path / "mine", "smoke")
    done.set()
    other.join()
