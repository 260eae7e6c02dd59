"""Damaged results: recorded ones are named, this machine's own count as not there."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from sdlib import results
from sdlib.__main__ import app
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.experiments import Run, Search
from sdlib.experiments.measurements import SHARPNESS, SWEEP
from sdlib.experiments.trials import read_trials, recorded_trials_file
from sdlib.files import DamagedError
from sdlib.results import Place, sweeps
from sdlib.results.rows import own_row
from sdlib.results.sharpness import Sharpness, file_of, write_sharpness
from sdlib.results.sweeps import levels_of, read_level, stamp_of
from tests.written_results import write_experiment, write_run, write_search, write_sweep

NAMES = ("robustness", "laptop", "phantom")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
SEARCHED = "sd_eq1_uniform"


def cut(content):
    return content[: len(content) * 2 // 3 - 9]


def changed_line(change, line=2):
    """Changes one line's object."""

    def make(content):
        lines = content.decode().splitlines()
        value = json.loads(lines[line - 1])
        lines[line - 1] = json.dumps(change(value))
        return "\n".join(lines).encode() + b"\n"

    return make


def without(name):
    return changed_line(lambda row: {key: value for key, value in row.items() if key != name})


def with_(**changes):
    return changed_line(lambda row: row | changes)


def with_metric(value, cohort="test"):
    def change(row):
        return row | {"metrics": row["metrics"] | {cohort: {"accuracy": value}}}

    return changed_line(change)


def inserted(text):
    def make(content):
        first, rest = content.split(b"\n", 1)
        return b"\n".join([first, text, rest])

    return make


def doubled(content):
    lines = content.splitlines()
    return b"\n".join([lines[0], lines[0], *lines[1:]])


BYTES = {
    "cut": cut,
    "empty": lambda content: b"",
    "git-lfs pointer": lambda content: POINTER,
    "byte-order mark": lambda content: b"\xef\xbb\xbf" + content,
    "another kind": lambda content: b"\x89PNG\r\n\x1a\n" * 9,
}
LINES = {
    "blank line": inserted(b""),
    "merge marker": inserted(b"<<<<<<< HEAD"),
    "no object": inserted(b"17"),
    "doubled": doubled,
}
ROWS = {
    **BYTES,
    **LINES,
    **{f"no {name}": without(name) for name in ("arm", "seed", "config_hash", "config", "metrics")},
    **{f"no {name}": without(name) for name in ("seconds", "device", "history")},
    "accuracy above 1": with_metric(17.0),
    "accuracy below 0": with_metric(-0.5),
    "accuracy NaN": with_metric(float("nan")),
    "accuracy infinite": inserted(b'{"metrics": {"test": {"accuracy": 1e999}}}'),
    "accuracy as text": with_metric("0.75"),
    "accuracy true": with_metric(True),
    "no accuracy": with_metric(None),
    "metrics of a cohort as a number": changed_line(lambda r: r | {"metrics": {"test": 0.75}}),
    "seed as text": with_(seed="0"),
    "seed below 0": with_(seed=-1),
    "seconds as text": with_(seconds="long"),
    "seconds below 0": with_(seconds=-1.0),
    "config as text": with_(config="lam"),
    "history as a number": with_(history=3),
    "an epoch without its loss": with_(history=[{"accuracy": 0.5}]),
    "an epoch's loss as text": with_(history=[{"train_loss": "low"}]),
    "another experiment": with_(experiment="cutout"),
    "another profile": with_(profile="long"),
    "another source": with_(source="open"),
}
TRIALS = {
    **BYTES,
    **LINES,
    **{f"no {name}": without(name) for name in ("family", "trial", "judged_on", "values")},
    **{f"no {name}": without(name) for name in ("value", "metrics", "seconds")},
    "value above 1": with_(value=17.0),
    "value NaN": with_(value=float("nan")),
    "value as text": with_(value="0.8"),
    "seconds as text": with_(seconds="long"),
    "a searched value as text": with_(values={"lam": "small"}),
    "a searched value is missing": with_(values={}),
    "another searched value": with_(values={"gamma": 0.1}),
    "no test": with_(metrics={"validation": {"accuracy": 0.8}}),
    "a metric as text": with_metric("0.75"),
}


def changed(**changes):
    """Changes arrays of an ``.npz`` file; names end with a key of ``changes``."""

    def make(arrays):
        found = dict(arrays)
        for ending, change in changes.items():
            for name in [name for name in arrays if name.endswith(ending.replace("__", "."))]:
                value = change(arrays[name])
                del found[name]
                if value is not None:
                    found[name] = value
        return found

    return make


PREDICTIONS = {
    "logits of another length": changed(**{"seed1/test.logits": lambda a: a[:-1]}),
    "targets of another length": changed(test__targets=lambda a: a[:-1]),
    "logits as a table": changed(test__logits=lambda a: a.reshape(2, -1)),
    "logits as text": changed(test__logits=lambda a: a.astype(str)),
    "logits as whole numbers": changed(test__logits=lambda a: a.astype(int)),
    "logits NaN": changed(test__logits=lambda a: np.where(a > 0, np.nan, a).astype(a.dtype)),
    "targets 2": changed(test__targets=lambda a: a + 1),
    "targets as floats": changed(test__targets=lambda a: a.astype(float)),
    "neither logits nor targets": lambda arrays: {"x": np.arange(3.0)},
}
SWEEPS = {
    "no levels": changed(levels=lambda a: None),
    "no targets": changed(targets=lambda a: None),
    "no groups": changed(groups=lambda a: None),
    "levels as numbers": changed(levels=lambda a: np.arange(len(a))),
    "fewer levels": changed(levels=lambda a: a[:-1]),
    "a level twice": changed(levels=lambda a: np.append(a[:-1], a[1])),
    "an unknown level": changed(levels=lambda a: np.append(a[:-1], "blur-17.5")),
    "not from the unshifted on": changed(levels=lambda a: a[::-1]),
    "targets 2": changed(targets=lambda a: a + 1),
    "fewer targets": changed(targets=lambda a: a[:-1]),
    "fewer groups": changed(groups=lambda a: a[:-1]),
    "logits as floats": changed(seed0=lambda a: a.astype(float)),
    "fewer logits": changed(seed0=lambda a: a[:, :, :-1]),
    "a network without a seed": lambda arrays: arrays | {"sd_eq1": next(iter(arrays.values()))},
}
SHARP = {
    "no groups": changed(groups=lambda a: None),
    "no values": changed(values=lambda a: None),
    "fewer groups": changed(groups=lambda a: a[:-1]),
    "values as text": changed(values=lambda a: a.astype(str)),
    "values NaN": changed(values=lambda a: a * np.nan),
    "groups below 0": changed(groups=lambda a: a - 5),
    "a title alone": lambda arrays: {"values": np.arange(3.0), "groups": np.arange(3)},
    "nothing": lambda arrays: {},
}


def spoil(file, change):
    """Damages a file: by its bytes or, of an ``.npz`` file, by its arrays."""
    if change in BYTES.values() or file.suffix != ".npz":
        file.write_bytes(change(file.read_bytes()))
        return
    with np.load(file) as stored:
        arrays = dict(stored)
    np.savez_compressed(file, **change(arrays))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Outputs and recorded results of the experiment robustness, in two folders."""
    folder = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(folder / "outputs"))
        patch.setenv("SDLIB_RECORDED", str(folder / "recorded"))
        write_experiment("robustness", seeds=2)
        values, groups = np.linspace(0, 1, 12).astype(np.float32), np.arange(12, dtype=np.int16)
        sets = {title: Sharpness(title, values, groups) for title in ("one", "two")}
        write_sharpness(Place(*NAMES, "this run"), sets)
        results.record(*NAMES)
    return folder


@pytest.fixture
def there(library, tmp_path, monkeypatch):
    """A copy of the library, which a test may damage."""
    shutil.copytree(library, tmp_path / "library")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "library" / "outputs"))
    monkeypatch.setenv("SDLIB_RECORDED", str(tmp_path / "library" / "recorded"))
    return tmp_path / "library"


def place(origin="recorded"):
    return Place(*NAMES, origin)


def own():
    return place("this run")


SEARCH = Search(*NAMES[:1], SEARCHED, *NAMES[1:])
RUN = Run("robustness", "weight_decay_none", 0, "laptop", "phantom")

RECORDED = {
    "rows": (lambda: place().recorded_file(".jsonl"), lambda: place().rows, ROWS),
    "predictions": (
        lambda: place().recorded_file(".npz"),
        lambda: place().logits(RUN.arm, "test"),
        {**BYTES, **PREDICTIONS},
    ),
    "trials": (
        lambda: recorded_trials_file(*NAMES),
        lambda: [place().trials, read_trials(SEARCH, recorded=True)],
        TRIALS,
    ),
    "sweep": (lambda: SWEEP.recorded_file(*NAMES), lambda: place().sweep, {**BYTES, **SWEEPS}),
    "sharpness": (
        lambda: SHARPNESS.recorded_file(*NAMES),
        lambda: place().sharpness,
        {**BYTES, **SHARP},
    ),
}
CASES = [(store, kind) for store, (_, _, kinds) in RECORDED.items() for kind in kinds]


def test_the_library_is_whole(there):
    for _, read, _ in RECORDED.values():
        read()
    for one in (place(), own()):
        assert len(one.rows) == 2 * len(one.arms)
        assert set(one.sweep.logits) == set(zip(one.rows["arm"], one.rows["seed"], strict=True))
        assert len(one.sharpness) == 2
        assert len(one.trials)
        assert one.scored == one.arms


@pytest.mark.parametrize(("store", "kind"), CASES, ids=lambda name: name.replace(" ", "_"))
def test_a_damaged_recorded_file_is_named_with_what_to_do(there, store, kind):
    file_in, read, kinds = RECORDED[store]
    file = file_in()
    spoil(file, kinds[kind])
    with pytest.raises(DamagedError) as caught:
        read()
    told = str(caught.value)
    assert told.startswith(str(file)), told
    assert "restore it with git checkout, or remove it and make it again with `" in told
    assert "python -m sdlib record robustness --profile laptop --source phantom`" in told
    assert "\n" not in told
    if store in ("rows", "trials") and kind not in ("cut", *BYTES):
        assert f"{file}, line 2 is damaged (" in told


@pytest.mark.parametrize("kind", ["cut", "doubled", "another source"])
def test_commands_say_it_in_a_sentence(there, kind):
    spoil(place().recorded_file(".jsonl"), ROWS[kind])
    for command in ("list --profile laptop", "record robustness"):
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 2
        assert "robustness-phantom-laptop.jsonl" in done.output
        assert "is damaged (" in done.output


def test_a_doubled_row_is_not_two_runs(there):
    """It would halve the interval and leave no trace."""
    spoil(place().recorded_file(".jsonl"), doubled)
    with pytest.raises(DamagedError, match=r"line 2 is damaged \(of the same arm, seed as line 1"):
        place().values("test.accuracy", RUN.arm)


def test_what_is_not_recorded_is_no_damage(outputs, recorded):
    one = place()
    assert one.rows.empty
    assert one.trials.empty
    assert not one.sweep.logits
    assert not one.sharpness
    assert one.logits(RUN.arm, "test") == {}


# -- This machine's own files


@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind not in LINES])
def test_a_damaged_row_of_this_machine_is_not_there(there, kind):
    content = RUN.row_file.read_bytes()
    if kind in BYTES:
        content = ROWS[kind](content)
    else:  # its one line is the second of two that are changed
        content = ROWS[kind](content + b"\n" + content).splitlines()[1]
    RUN.row_file.write_bytes(content)
    assert own_row(RUN) is None
    rows = own().rows
    assert len(rows) == len(place().rows) - 1
    assert own().by_seed("test.accuracy", RUN.arm).index.tolist() == [1]
    assert list(own().logits(RUN.arm, "test")) == [1]
    assert (RUN.arm, 0) not in own().sweep.logits


def test_a_row_of_another_run_is_not_there(there):
    other = Run("robustness", RUN.arm, 1, "laptop", "phantom")
    shutil.copy(other.row_file, RUN.row_file)
    assert own_row(RUN) is None
    assert own_row(other)["seed"] == 1


def test_stamps_of_damaged_rows_are_a_sentence(there):
    RUN.row_file.write_text("")
    with pytest.raises(DataError, match=r"row.json is damaged .*python -m sdlib run robustness/"):
        stamp_of(RUN)


@pytest.mark.parametrize("kind", [*BYTES, *PREDICTIONS])
def test_damaged_predictions_of_this_machine_are_not_there(there, kind):
    kinds = {**BYTES, **PREDICTIONS}
    if kind == "logits of another length":
        kinds[kind] = changed(test__logits=lambda a: a[:-1])
    file = RUN.folder / ("targets.npz" if kind.startswith("targets") else "predictions.npz")
    spoil(file, kinds[kind])
    if kind == "logits of another length":  # whether they or the targets are wrong is not known
        with pytest.raises(
            DataError, match=r"expected 400 logits in .*, got 399 .*experiment anew"
        ):
            own().logits(RUN.arm, "test")
        return
    expected = [0, 1] if file.name == "targets.npz" else [1]
    assert list(own().logits(RUN.arm, "test")) == expected
    assert len(own().targets("test")) == 400  # those of the other runs
    assert (RUN.arm, 0) not in own().sweep.logits
    assert len(own().sweep.logits) == len(own().rows) - 1


@pytest.mark.parametrize("kind", TRIALS)
def test_damaged_trials_of_this_machine_are_not_there(there, kind):
    recorded = read_trials(SEARCH, recorded=True)
    write_search("robustness", SEARCHED, 3, seed=99)
    assert read_trials(SEARCH) != recorded
    spoil(SEARCH.file, TRIALS[kind])
    assert read_trials(SEARCH) == recorded
    recorded_trials_file(*NAMES).unlink()
    assert read_trials(SEARCH) == []


LEVELS = {
    **BYTES,
    "no stamps": changed(stamps=lambda a: None),
    "stamps cut": changed(stamps=lambda a: np.array(str(a)[:-9])),
    "stamps as a list": changed(stamps=lambda a: np.array("[]")),
    "fewer stamps": changed(stamps=lambda a: np.array("{}")),
    "logits as a table": changed(seed0=lambda a: a.reshape(2, -1)),
    "logits as text": changed(seed0=lambda a: a.astype(str)),
}


@pytest.mark.parametrize("kind", LEVELS)
def test_a_damaged_level_of_this_machine_is_not_there(there, kind):
    file = SWEEP.folder(*NAMES) / f"{levels_of('laptop')[3].name}.npz"
    spoil(file, LEVELS[kind])
    assert read_level(file) == ({}, {})
    assert not own().sweep.logits
    assert sweeps.record(*NAMES) == ""


def test_logits_of_a_level_that_are_of_other_tiles_do_not_count(there):
    file = SWEEP.folder(*NAMES) / f"{levels_of('laptop')[3].name}.npz"
    spoil(file, changed(**{f"{RUN.arm}/seed0": lambda a: a[:-1]}))
    found = own().sweep.logits
    assert (RUN.arm, 0) not in found
    assert len(found) == len(own().rows) - 1


@pytest.mark.parametrize("kind", [*BYTES, *SHARP])
def test_damaged_sharpness_of_this_machine_is_not_there(there, kind):
    spoil(file_of(own()), {**BYTES, **SHARP}[kind])
    assert own().sharpness == {}
    before = SHARPNESS.recorded_file(*NAMES).read_bytes()
    results.record(*NAMES)
    assert SHARPNESS.recorded_file(*NAMES).read_bytes() == before


# -- All or none


def content_of(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def again(there):
    """What is recorded; and something new to record in every file."""
    before = content_of(there / "recorded")
    write_run("robustness", RUN.arm, 0, network=(0.5, 2.0, -1.0), finished="tomorrow")
    write_sweep("robustness")
    return before


@pytest.mark.parametrize("store", ["rows", "predictions", "trials", "sweep", "sharpness"])
def test_nothing_is_recorded_if_one_file_cannot_be(there, store):
    before = again(there)
    file = RECORDED[store][0]()
    del before[file.name]
    file.unlink()
    file.mkdir()
    with pytest.raises(SdlibError, match="a folder of that name is in the way"):
        results.record(*NAMES)
    file.rmdir()
    assert content_of(there / "recorded") == before


def test_nothing_is_recorded_if_a_measurement_fails(there, monkeypatch):
    before = again(there)

    def broken(*names):
        raise ConfigError("expected finite logits, got 2 others")

    monkeypatch.setattr("sdlib.results.sharpness.record", broken)  # the last that is recorded
    with pytest.raises(ConfigError):
        results.record(*NAMES)
    assert content_of(there / "recorded") == before
    monkeypatch.undo()


def test_nothing_is_recorded_of_a_run_without_its_predictions(there):
    before = again(there)
    (RUN.folder / "predictions.npz").write_bytes(b"")
    sentence = r"predictions of robustness/weight_decay_none/seed0 are missing or damaged: make .*"
    with pytest.raises(DataError, match=sentence + r"sdlib run robustness/weight_decay_none/seed0"):
        results.record(*NAMES)
    assert content_of(there / "recorded") == before


def more_tiles(run):
    """As if the run had been made again on two tiles more."""
    for name in ("predictions", "targets"):
        spoil(run.folder / f"{name}.npz", changed(**{"": lambda a: np.concatenate([a, a[:2]])}))


def test_predictions_of_other_tiles_are_not_recorded_beside_the_rows_that_stay(there):
    """Of rows that are not run again, what was recorded of fewer tiles would be lost."""
    before = content_of(there / "recorded")
    others = [run for run in own().runs if run != RUN and run.row_file.exists()]
    for run in others:
        run.row_file.unlink()
    more_tiles(RUN)
    with pytest.raises(
        DataError,
        match=r"images of the cohort (test|validation) are not the same here .* "
        rf"\({len(others)} such rows would be kept\).*: run these here, too, from `python -m sdlib",
    ):
        results.record(*NAMES)
    assert content_of(there / "recorded") == before


def test_predictions_of_other_tiles_take_the_place_of_all_that_were_recorded(there):
    runs = [run for run in own().runs if run.row_file.exists()]
    for run in runs:
        more_tiles(run)
    assert results.record(*NAMES)[0] == f"{len(runs)} rows recorded"
    found = place()
    assert len(found.targets("test")) == 402
    assert list(found.logits(RUN.arm, "test")) == [0, 1]


def test_stale_rows_keep_no_predictions_of_other_tiles(there):
    file = place().recorded_file(".jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["config_hash"] = "0" * 12
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for run in own().runs:
        if run != RUN:
            run.row_file.unlink(missing_ok=True)
    more_tiles(RUN)
    assert results.record(*NAMES)[0] == "1 rows recorded"
    found = place()
    assert found.stale == len(rows) - 1
    assert len(found.targets("test")) == 402
    assert list(found.logits(RUN.arm, "test")) == [0]
