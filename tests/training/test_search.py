"""Searches: every point once, and the same whether they were stopped or not."""

import dataclasses
import errno
import json
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logit

from sdlib.errors import ConfigError, SdlibError
from sdlib.experiments import EXPERIMENTS, PROFILES, Search
from sdlib.experiments.paper import PAPER_EQ2_LAM
from sdlib.experiments.trials import recorded_trials_file
from sdlib.metrics import summary
from sdlib.training import run as running, search

PATIENCE = 300
TRIALS = 14  # optuna's TPE draws ten at random before it learns from what was found
LONGER = dataclasses.replace(PROFILES["smoke"], trials=TRIALS)


def silent(line):
    pass


def search_of(family, experiment="cutout"):
    return Search(experiment, family, "smoke", "phantom")


class Targets(dict):
    """In place of a run's tiles: every cohort has the same targets."""

    def __missing__(self, cohort):
        return SimpleNamespace(targets=np.arange(200) % 2)


def pretend(run, arm, tiles, log, learning_rate=None):
    """In place of a training: scores that depend on the arm's values, smoothly and at once."""
    lam, gamma = np.broadcast_to(arm.lam or 1e-6, 2), np.broadcast_to(arm.gamma or 0.0, 2)
    far = abs(np.log10(lam[0]) + 2) + abs(gamma[1] - 1) + arm.weight_decay + (learning_rate or 0)
    targets = np.arange(200) % 2
    logits = {}
    for name, worse in (("validation", 0.0), ("test", 0.5), ("clean", 0.0), ("all", 0.0)):
        wrong = np.arange(200) < 200 * (1 - np.exp(-(far + worse) / 4)) / 2
        logits[name] = logit(np.where(targets ^ wrong, 0.8, 0.2))
    return logits


@pytest.fixture
def pretended(outputs, monkeypatch):
    monkeypatch.setitem(PROFILES, "smoke", LONGER)
    monkeypatch.setattr(search, "load_tiles", lambda run, arm: Targets())
    monkeypatch.setattr(running, "train_and_evaluate", pretend)
    return outputs


@pytest.fixture
def trained(pretended, monkeypatch):
    """Grows with every training."""
    found = []

    def count(*args, **kwargs):
        found.append(0)
        return pretend(*args, **kwargs)

    monkeypatch.setattr(running, "train_and_evaluate", count)
    return found


def values(rows):
    return [row["values"] for row in rows]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The rows of a grid and of a Bayesian search that nothing has stopped, by family."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(tmp_path_factory.mktemp("unbroken")))
        patch.setitem(PROFILES, "smoke", LONGER)
        patch.setattr(search, "load_tiles", lambda run, arm: Targets())
        patch.setattr(running, "train_and_evaluate", pretend)
        return {f: search.execute(search_of(f), log=silent) for f in ("sd_eq1", "sd_eq2")}


class TestWhole:
    @pytest.mark.parametrize(
        "family", ["weight_decay", "weight_decay_test", "sd_eq1", "learning_rate"]
    )
    def test_a_grid_is_seen_once_whole(self, pretended, family):
        ((name, points),) = search_of(family).space.grid.items()
        found = [row["values"][name] for row in search.execute(search_of(family), log=silent)]
        assert sorted(found[: len(points)]) == sorted(points)
        assert not set(found[len(points) :]) & set(points)

    def test_the_papers_grid(self):
        assert search_of("sd_eq1").space.grid == {"lam": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)}

    @pytest.mark.parametrize("family", ["sd_eq2", "sd_eq2_test"])
    def test_bayesian_optimisation_stays_in_its_ranges_and_finds_something(self, pretended, family):
        rows = search.execute(search_of(family), log=silent)
        assert len(rows) == TRIALS
        ranges = search_of(family).space.ranges
        for point in values(rows):
            assert point.keys() == ranges.keys()
            assert all(low <= point[name] <= high for name, (low, high, _) in ranges.items())
        assert len({tuple(point.values()) for point in values(rows)}) == TRIALS
        # After ten blind trials it looks where the scores were high.
        scores = [row["value"] for row in rows]
        assert np.mean(scores[10:]) > np.mean(scores[:10])

    @pytest.mark.parametrize(
        ("owner", "family"),
        [
            (n, space.name)
            for n, one in EXPERIMENTS.items()
            if one.sources
            for space in one.searches
        ],
    )
    def test_a_trial_is_a_row(self, pretended, owner, family):
        lines = []
        rows = search.execute(search_of(family, owner), log=lines.append)
        assert [row["trial"] for row in rows] == list(range(len(rows)))
        assert len(lines) == len(rows)
        judged_on = "test" if family.endswith("_test") else "validation"
        for row, line in zip(rows, lines, strict=True):
            assert (row["family"], row["judged_on"]) == (family, judged_on)
            assert row["config_hash"] == search_of(family, owner).config_hash
            metric = EXPERIMENTS[owner].space(family).metric
            assert row["value"] == row["metrics"][judged_on][metric]
            assert row["metrics"]["validation"]["accuracy"] > row["metrics"]["test"]["accuracy"]
            assert line.startswith(f"{owner}/{family} trial {row['trial']}: ")
        written = search_of(family, owner).file.read_text().splitlines()
        assert [json.loads(line) for line in written] == rows

    def test_a_trial_is_trained_with_its_values(self, pretended, monkeypatch):
        seen = []

        def spy(run, arm, tiles, log, learning_rate=None):
            seen.append((run.seed, arm.lam, arm.gamma, arm.weight_decay, learning_rate))
            return pretend(run, arm, tiles, log, learning_rate)

        monkeypatch.setattr(running, "train_and_evaluate", spy)
        for family in ("sd_eq1", "sd_eq2", "weight_decay", "learning_rate"):
            rows = search.execute(search_of(family), log=silent)
            for (seed, lam, gamma, decay, rate), point in zip(seen, values(rows), strict=True):
                assert seed == 1000  # of no run that is reported
                if family == "sd_eq1":
                    assert (lam, gamma, decay, rate) == (point["lam"], None, 0, None)
                elif family == "sd_eq2":
                    assert lam == (point["lam_neg"], point["lam_pos"])
                    assert gamma == (point["gamma_neg"], point["gamma_pos"])
                    assert (decay, rate) == (0, None)
                elif family == "weight_decay":
                    assert (lam, decay, rate) == (None, point["weight_decay"], None)
                else:
                    assert (lam, decay, rate) == (None, 1e-4, point["learning_rate"])
            seen.clear()

    @pytest.mark.parametrize("family", ["sd_eq2", "learning_rate_sd_eq2"])
    def test_a_trial_is_the_mean_of_its_networks(self, pretended, monkeypatch, family):
        monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(LONGER, networks=3))
        seen = []

        def differ(run, arm, tiles, log, learning_rate=None):
            seen.append((run.seed, arm.lam, learning_rate))
            found = pretend(run, arm, tiles, log, learning_rate)
            # Each network is right about fewer tiles than the one before it.
            return {
                name: np.where(np.arange(200) < 10 * (run.seed - 1000), -f, f)
                for name, f in found.items()
            }

        monkeypatch.setattr(running, "train_and_evaluate", differ)
        rows = search.execute(search_of(family), log=silent)
        assert [seed for seed, _, _ in seen] == [1000, 1001, 1002] * len(rows)
        for row, (_, lam, rate) in zip(rows, seen[::3], strict=True):
            by_network = [one["validation"] for one in row["by_network"]]
            assert len(set(by_network)) == 3
            assert row["value"] == pytest.approx(np.mean(by_network))
            assert row["metrics"]["validation"]["accuracy"] == row["value"]
            assert row["metrics"]["test"]["accuracy"] == pytest.approx(
                np.mean([one["test"] for one in row["by_network"]])
            )
            if family == "learning_rate_sd_eq2":
                assert (lam, rate) == (PAPER_EQ2_LAM, row["values"]["learning_rate"])

    def test_a_search_without_the_first_values_goes_on(self, pretended):
        """Recorded by an earlier version that did not know them."""
        wanted = search_of("sd_eq2")
        whole = search.execute(wanted, log=silent)
        lines = wanted.file.read_text().splitlines()
        wanted.file.write_text("\n".join(lines[1:]) + "\n")
        assert search.execute(wanted, log=silent) == whole

    def test_a_finished_search_is_read_unless_fresh(self, pretended, trained):
        first = search.execute(search_of("sd_eq2"), log=silent)
        trained.clear()
        assert search.execute(search_of("sd_eq2"), log=silent) == first
        assert trained == []
        again = search.execute(search_of("sd_eq2"), fresh=True, log=silent)
        assert len(trained) == TRIALS
        assert values(again) == values(first)

    def test_another_configuration_is_another_search(self, pretended, trained, monkeypatch):
        first = search.execute(search_of("sd_eq1"), log=silent)
        longer = dataclasses.replace(LONGER, epochs=LONGER.epochs + 1)
        monkeypatch.setitem(PROFILES, "smoke", longer)
        trained.clear()
        second = search.execute(search_of("sd_eq1"), log=silent)
        assert len(trained) == 6
        assert {row["config_hash"] for row in first}.isdisjoint(r["config_hash"] for r in second)

    def test_what_another_search_has_trained_is_not_trained_again(self, pretended, trained):
        """The same values on another set: only the judgement differs."""
        alone = search.execute(search_of("weight_decay_test"), fresh=True, log=silent)
        search.execute(search_of("weight_decay"), log=silent)
        assert len(trained) == 6
        again = search.execute(search_of("weight_decay_test"), fresh=True, log=silent)
        assert len(trained) == 6
        assert all(row.pop("trained_as").startswith("weight_decay trial ") for row in again)
        assert again == alone


def searching(monkeypatch, family, **changes):
    """The experiment cutout has a search that differs in these fields from now on."""
    definition = EXPERIMENTS["cutout"]
    spaces = tuple(
        dataclasses.replace(space, **changes) if space.name == family else space
        for space in definition.searches
    )
    changed = dataclasses.replace(definition, searches=spaces)
    monkeypatch.setitem(EXPERIMENTS, "cutout", changed)


def narrower(ranges):
    """Ranges whose lower ends lie higher."""
    return {name: (1e-3 if log else 0.0, high, log) for name, (low, high, log) in ranges.items()}


class TestEnlarged:
    """Grid, budget and ranges are not hashed: what has been tried stays, the rest is run."""

    def test_points_that_are_new_to_the_grid_are_trained_alone(
        self, pretended, trained, monkeypatch
    ):
        first = search.execute(search_of("sd_eq1"), log=silent)
        trained.clear()
        grid = {"lam": (1.0, 3e-2, *search_of("sd_eq1").space.grid["lam"])}
        searching(monkeypatch, "sd_eq1", grid=grid)
        rows = search.execute(search_of("sd_eq1"), log=silent)
        assert len(trained) == 2
        assert rows[: len(first)] == first
        assert sorted(row["values"]["lam"] for row in rows) == sorted(grid["lam"])
        assert search.execute(search_of("sd_eq1"), log=silent) == rows
        assert len(trained) == 2

    def test_points_that_have_left_the_grid_do_not_count(self, pretended, trained, monkeypatch):
        search.execute(search_of("sd_eq1"), log=silent)
        trained.clear()
        searching(monkeypatch, "sd_eq1", grid={"lam": (1e-3, 1e-4)}, extends=False)
        rows = search.execute(search_of("sd_eq1"), log=silent)
        assert sorted(row["values"]["lam"] for row in rows) == [1e-4, 1e-3]
        assert trained == []

    def test_a_larger_budget_goes_on_as_if_it_had_never_been_smaller(
        self, pretended, trained, monkeypatch, unbroken
    ):
        with monkeypatch.context() as patch:
            patch.setitem(PROFILES, "smoke", dataclasses.replace(LONGER, trials=5))
            assert len(search.execute(search_of("sd_eq2"), log=silent)) == 5
        trained.clear()
        rows = search.execute(search_of("sd_eq2"), log=silent)
        assert values(rows) == values(unbroken["sd_eq2"])
        assert len(trained) == TRIALS - 5

    def test_a_smaller_budget_leaves_a_search_whole(self, pretended, trained, monkeypatch):
        whole = search.execute(search_of("sd_eq2"), log=silent)
        trained.clear()
        monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(LONGER, trials=5))
        assert search.execute(search_of("sd_eq2"), log=silent) == whole
        assert trained == []

    @pytest.mark.parametrize("file", ["there", "removed"])
    def test_trials_outside_narrower_ranges_do_not_count(
        self, pretended, trained, monkeypatch, file
    ):
        before = search.execute(search_of("sd_eq2"), log=silent)
        trained.clear()
        ranges = narrower(search_of("sd_eq2").space.ranges)
        searching(monkeypatch, "sd_eq2", ranges=ranges, first=())
        space = search_of("sd_eq2").space
        inside = [point for point in values(before) if space.holds(point)]
        assert 0 < len(inside) < TRIALS
        if file == "removed":  # as Snakemake does before it runs a rule
            search_of("sd_eq2").file.unlink()
        rows = search.execute(search_of("sd_eq2"), log=silent)
        assert len(rows) == TRIALS
        assert all(space.holds(point) for point in values(rows))
        assert values(rows)[: len(inside)] == inside
        assert len(trained) == TRIALS - len(inside)
        assert search.execute(search_of("sd_eq2"), log=silent) == rows

    def test_a_range_that_is_no_longer_logarithmic(self, pretended, monkeypatch):
        """optuna mixes no trials of the two kinds: they are told anew what the range is today."""
        search.execute(search_of("sd_eq2"), log=silent)
        ranges = {
            name: (low, high, False)
            for name, (low, high, _) in search_of("sd_eq2").space.ranges.items()
        }
        searching(monkeypatch, "sd_eq2", ranges=ranges)
        monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(LONGER, trials=TRIALS + 2))
        assert len(search.execute(search_of("sd_eq2"), log=silent)) == TRIALS + 2

    def test_recorded_trials_of_a_smaller_grid_are_no_whole_search(
        self, pretended, trained, monkeypatch, recorded
    ):
        """Stale trials of this machine, and recorded ones of today's configuration."""
        wanted = search_of("sd_eq1")
        lines = search.execute(wanted, log=silent)
        text = wanted.file.read_text()
        recorded_trials_file("cutout", "smoke", "phantom").write_text(text)
        wanted.file.write_text(text.replace(wanted.config_hash, "0" * 12))
        trained.clear()
        assert search.execute(wanted, log=silent) == lines
        searching(monkeypatch, "sd_eq1", grid={"lam": (1.0, *wanted.space.grid["lam"])})
        rows = search.execute(search_of("sd_eq1"), log=silent)
        assert 1.0 in [row["values"]["lam"] for row in rows]


def limited(propose, most):
    """In place of what proposes values: none after so many trials."""

    def values(space, tried, *others):
        return None if len(tried) == most else propose(space, tried, *others)

    return values


class TestStopped:
    @pytest.mark.parametrize(
        ("family", "after", "error"),
        [
            ("sd_eq1", 0, SdlibError),
            ("sd_eq1", 3, KeyboardInterrupt),
            ("sd_eq2", 3, KeyboardInterrupt),
            ("sd_eq2", 12, SdlibError),
        ],
    )
    def test_resumed(self, pretended, monkeypatch, unbroken, family, after, error):
        """Ctrl-C, or a trial that fails: it is run again, no other is, and all the rest follows."""
        calls = []

        def stop(*args, **kwargs):
            calls.append(0)
            if len(calls) == after + 1:
                raise error
            return pretend(*args, **kwargs)

        monkeypatch.setattr(running, "train_and_evaluate", stop)
        with pytest.raises(error):
            search.execute(search_of(family), log=silent)
        assert not search_of(family).file.exists()
        rows = search.execute(search_of(family), log=silent)
        assert len(calls) == len(unbroken[family]) + 1
        assert values(rows) == values(unbroken[family])
        assert [row["trial"] for row in rows] == list(range(len(rows)))

    def test_it_tells_how_many_trials_are_finished(self, pretended, monkeypatch):
        """Of those of an earlier command first, and of a grid's that went on beyond its ends."""
        searching(monkeypatch, "sd_eq1", grid={"lam": (1e-3, 1e-4, 1e-5)})
        wanted, steps, points = search_of("sd_eq1"), [], 3
        with monkeypatch.context() as patch:
            patch.setattr(search, "next_values", limited(search.next_values, 2))
            search.execute(wanted, log=silent, done=lambda *step: steps.append(step))
        assert steps == [(0, points), (1, points), (2, points)]
        wanted.file.unlink()
        steps.clear()
        rows = search.execute(wanted, log=silent, done=lambda *step: steps.append(step))
        assert len(rows) > points
        assert [finished for finished, _ in steps] == list(range(2, len(rows) + 1))
        assert steps[0][1] == points
        assert steps[-1] == (len(rows), len(rows))
        assert all(finished <= total for finished, total in steps)
        steps.clear()
        search.execute(wanted, log=silent, done=lambda *step: steps.append(step))
        assert steps == [(len(rows), len(rows))]

    def test_half_a_line_in_the_journal(self, pretended, monkeypatch, unbroken):
        """A disk that was full in the middle of a line: optuna alone could not read past it."""
        with monkeypatch.context() as patch:
            patch.setitem(PROFILES, "smoke", dataclasses.replace(LONGER, trials=5))
            search.execute(search_of("sd_eq2"), log=silent)
        search_of("sd_eq2").file.unlink()
        journal = search_of("sd_eq2").folder / "journal.log"
        journal.write_bytes(journal.read_bytes() + b'{"op_code":4,"worker')
        rows = search.execute(search_of("sd_eq2"), log=silent)
        assert values(rows) == values(unbroken["sd_eq2"])


class TestDamaged:
    """The search ends as if nothing had happened: only what is lost is trained again."""

    @pytest.fixture
    def stopped(self, pretended, trained, monkeypatch):
        """A search that is done but for its file of trials; returns its journal."""
        search.execute(search_of("sd_eq2"), log=silent)
        search_of("sd_eq2").file.unlink()
        trained.clear()
        return search_of("sd_eq2").folder / "journal.log"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda line: bytes(len(line) - 1) + b"\n",
            lambda line: line[:20] + bytes(9) + line[29:],
            lambda line: line[: len(line) // 2],
            lambda line: line[: len(line) // 2] + b"\n",
            lambda line: b"\n",
            lambda line: b"[]\n",
            lambda line: b"\xff\xfe\n",
        ],
        ids=["zeros", "zeros inside", "cut", "cut at its end", "blank", "other JSON", "not UTF-8"],
    )
    @pytest.mark.parametrize("kept", [0, 1, 9])
    def test_a_line_of_the_journal(self, stopped, trained, unbroken, damage, kept):
        whole, lines = stopped.read_bytes().splitlines(keepends=True), []
        assert len(whole) == 1 + TRIALS  # the study, and a line per trial
        stopped.write_bytes(b"".join([*whole[:kept], damage(whole[kept]), *whole[kept + 1 :]]))
        rows = search.execute(search_of("sd_eq2"), log=lines.append)
        said = f"{stopped} is damaged in line {kept + 1}: trials from there on are made again"
        assert lines[0] == said
        assert len(trained) == TRIALS - max(kept - 1, 0)
        expected = [{**row, "seconds": 0} for row in unbroken["sd_eq2"]]
        assert [{**row, "seconds": 0} for row in rows] == expected

    def test_an_empty_journal(self, stopped, trained, unbroken):
        stopped.write_bytes(b"")
        assert values(search.execute(search_of("sd_eq2"), log=silent)) == values(unbroken["sd_eq2"])

    @pytest.mark.parametrize(
        "damage",
        [lambda whole: b"", lambda whole: whole[:-40], lambda whole: bytes(len(whole))],
        ids=["empty", "cut", "zeros"],
    )
    def test_the_trials_of_the_search_and_of_another(self, pretended, trained, damage):
        first = search.execute(search_of("weight_decay"), log=silent)
        file, lines = search_of("weight_decay").file, []
        file.write_bytes(damage(file.read_bytes()))
        trained.clear()
        search.execute(search_of("weight_decay_test"), log=lines.append)
        said = f"{file} is damaged and counts as not there: it is made again"
        assert lines[0] == said
        assert len(trained) == 6  # nothing to take over
        assert search.execute(search_of("weight_decay"), log=lines.append) == first
        assert lines.count(said) == 2
        assert len(trained) == 6  # its journal was whole

    def test_the_lock_of_a_killed_optuna(self, stopped, unbroken):
        """Its target need not exist, where the path was relative: optuna would wait for ever."""
        lock = stopped.with_name("journal.log.lock")
        lock.symlink_to("nowhere/journal.log")
        with stopped.open("rb") as journal:
            first = journal.readline()
        stopped.write_bytes(first)
        assert values(search.execute(search_of("sd_eq2"), log=silent)) == values(unbroken["sd_eq2"])
        assert not os.path.lexists(lock)


def search_until(outputs, family, trial, reached):
    """Search in a process of its own and stand still in the middle of a trial."""
    os.environ.update(SDLIB_OUTPUTS=outputs)
    PROFILES["smoke"] = LONGER
    search.load_tiles = lambda run, arm: Targets()
    finished = []

    def stall(*args, **kwargs):
        if len(finished) == trial:
            reached.set()
            time.sleep(PATIENCE)
        finished.append(0)
        return pretend(*args, **kwargs)

    running.train_and_evaluate = stall
    search.execute(search_of(family), log=silent)


@pytest.mark.parametrize(("family", "trial"), [("sd_eq1", 2), ("sd_eq2", 12)])
def test_killed_in_the_middle_of_a_trial(pretended, unbroken, processes, family, trial):
    """kill -9, then the same command again: the trials of the unbroken search, none twice."""
    expected, reached = unbroken[family], processes.event()
    killed = processes(search_until, str(pretended), family, trial, reached)
    killed.start()
    assert reached.wait(PATIENCE)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL

    trained = []
    rows = search.execute(search_of(family), log=trained.append)
    assert len(trained) == len(expected) - trial
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in expected]


def test_two_processes_at_one_search(pretended, unbroken, processes):
    """The orphan of a killed graph and its successor: no trial twice, and the same result."""
    reached = processes.event()
    orphan = processes(search_until, str(pretended), "sd_eq2", 2, reached)
    orphan.start()
    assert reached.wait(PATIENCE)
    message = f"the search cutout/sd_eq2 is at work in process {orphan.pid} on .*: wait for it, or"
    for fresh in (False, True):
        with pytest.raises(SdlibError, match=message):
            search.execute(search_of("sd_eq2"), fresh, silent)
    # Another search has a lock of its own.
    assert values(search.execute(search_of("sd_eq1"), log=silent)) == values(unbroken["sd_eq1"])
    orphan.kill()
    orphan.join()
    trained = []
    rows = search.execute(search_of("sd_eq2"), log=trained.append)
    assert len(trained) == TRIALS - 2
    assert values(rows) == values(unbroken["sd_eq2"])
    files = sorted(path.name for path in search_of("sd_eq2").folder.iterdir())
    assert files == ["journal.log", "trials.jsonl"]


def search_at(outputs, family, start, report):
    """Search in a process of its own as soon as all are ready; the report says how it ended."""
    os.environ.update(SDLIB_OUTPUTS=outputs)
    PROFILES["smoke"] = LONGER
    search.load_tiles = lambda run, arm: Targets()
    running.train_and_evaluate = pretend
    start.wait(PATIENCE)
    try:
        search.execute(search_of(family), log=silent)
        report.write_text("done")
    except SdlibError as error:
        report.write_text(str(error))


def test_processes_that_start_at_once(pretended, unbroken, processes, tmp_path):
    start, reports = processes.event(), [tmp_path / f"report{k}" for k in range(3)]
    found = [processes(search_at, str(pretended), "sd_eq2", start, file) for file in reports]
    for process in found:
        process.start()
    start.set()
    for process in found:
        process.join(PATIENCE)
    said = [file.read_text() for file in reports]
    assert "done" in said
    assert all(text == "done" or "is at work in process" in text for text in said)
    rows = search.execute(search_of("sd_eq2"), log=lambda line: pytest.fail("trained again"))
    assert values(rows) == values(unbroken["sd_eq2"])
    journal = search_of("sd_eq2").folder / "journal.log"
    assert len(journal.read_bytes().splitlines()) == 1 + TRIALS


class TestRefused:
    @pytest.mark.parametrize(
        ("seed", "sentence"),
        [
            (99999999999999999999, "expected a seed from 0 to 18446744073709551615"),
            (2**32, "expected the search seed of cutout from 0 to 42949672"),
        ],
    )
    def test_a_search_seed_that_cannot_be(self, pretended, monkeypatch, seed, sentence):
        experiment = dataclasses.replace(EXPERIMENTS["cutout"], search_seed=seed)
        monkeypatch.setitem(EXPERIMENTS, "cutout", experiment)
        with pytest.raises(ConfigError, match=sentence):
            search.execute(search_of("sd_eq2"), log=silent)

    @pytest.mark.parametrize(
        ("wanted", "sentence"),
        [
            (search_of("sd_eq9"), "unknown search of cutout 'sd_eq9'; expected one of: learn"),
            (
                search_of("sd_eq2", "cutout_sensitivity"),
                "unknown search of cutout_sensitivity 'sd_eq2'",
            ),
            (Search("cutout", "sd_eq2", "fast", "phantom"), "unknown profile 'fast'"),
            (Search("cutout", "sd_eq2", "smoke", "helsinki"), "unknown source 'helsinki'"),
        ],
    )
    def test_unknown(self, pretended, wanted, sentence):
        with pytest.raises(ConfigError, match=sentence):
            search.execute(wanted, log=silent)
        assert not pretended.exists()

    def test_outputs_that_cannot_be_a_folder(self, pretended, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "file"))
        with pytest.raises(
            SdlibError, match=r"^cannot write .*journal.log: .* is a file, not a folder"
        ):
            search.execute(search_of("sd_eq1"), log=silent)

    def test_a_full_disk(self, pretended, monkeypatch):
        def full(*args, **kwargs):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)  # the last thing that optuna does for a line
            with pytest.raises(SdlibError, match=r"^cannot write .*journal.log: the disk is full"):
                search.execute(search_of("sd_eq1"), log=silent)
        assert not search_of("sd_eq1").file.exists()
        assert len(search.execute(search_of("sd_eq1"), log=silent)) == 6

    def test_an_error_about_another_file_is_not_the_journals(self, pretended, monkeypatch):
        def absent(*args, **kwargs):
            raise FileNotFoundError(errno.ENOENT, "No such file", "tile.png")

        monkeypatch.setattr(running, "train_and_evaluate", absent)
        with pytest.raises(FileNotFoundError, match=r"tile\.png"):
            search.execute(search_of("sd_eq1"), log=silent)


def test_a_real_search(smoke, monkeypatch):
    """Two trials that train: their scores are those of an evaluation of the same arm."""
    monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(PROFILES["smoke"], trials=2))
    rows = search.execute(search_of("sd_eq2_test"), log=silent)
    assert len(rows) == 2
    assert rows[0]["metrics"] != rows[1]["metrics"]
    assert set(rows[0]["metrics"]) == set(EXPERIMENTS["cutout"].evaluation)
    assert set(rows[0]["metrics"]["test"]) == set(summary([0, 1], [0.1, 0.9]))


def test_large_logits_keep_their_ranks_in_a_trial(pretended, monkeypatch):
    """Eight of nine pairs in order, between 17 and 30: in float32 every sigmoid is 1."""
    logits = np.array([17, 19, 22.5, 21, 25, 30], np.float32)
    truth = SimpleNamespace(targets=np.array([0, 0, 0, 1, 1, 1]))

    def sure(run, arm, tiles, log, learning_rate=None):
        return dict.fromkeys(run.definition.evaluation, logits)

    monkeypatch.setattr(running, "train_and_evaluate", sure)
    cohorts = EXPERIMENTS["cutout"].evaluation
    monkeypatch.setattr(search, "load_tiles", lambda run, arm: dict.fromkeys(cohorts, truth))
    rows = search.execute(search_of("sd_eq1"), log=silent)
    assert [row["metrics"]["test"]["auroc"] for row in rows] == pytest.approx([8 / 9] * 6)
