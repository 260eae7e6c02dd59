"""Progress of a comparison: what is counted, and how the time that is left is measured."""

import itertools
import re

import pytest

from sdlib.experiments import Run
from sdlib.training import comparison, sweep
from sdlib.training.comparison import Progress, in_words, make_comparison


def silent(line):
    pass


def clock(*seconds):
    times = itertools.accumulate(seconds)
    return lambda: next(times)


def test_the_time_left_is_measured_on_this_commands_steps():
    progress = Progress(10, clock=clock(0, 0, 60, 60, 240))
    progress.skip(4)  # of an earlier command: they say nothing of this machine's speed
    assert progress.step() == "5 of 10, about 5 minutes left"
    assert progress.step() == "6 of 10, about 4 minutes left"
    # A trial of two networks took four minutes: now four networks took six.
    assert progress.step(2) == "8 of 10, about 3 minutes left"


def test_steps_that_are_there_are_counted_and_not_timed():
    progress = Progress(10, clock=clock(0, 1000, 30))
    progress.skip(8)
    assert progress.step() == "9 of 10, about 30 seconds left"


def test_at_the_end_nothing_is_left():
    progress = Progress(1, clock=clock(0, 5))
    assert progress.step() == "1 of 1"


def test_a_part_is_counted_in_the_whole():
    """Three trials of two networks each, of which an earlier command has made one."""
    lines, progress = [], Progress(10, clock=clock(0, 500, 60, 60, 60))
    done = comparison._counting(progress, 3, "networks trained", lines.append, size=2)
    done(1, 3)
    assert lines == []
    done(2, 3)
    done(2, 4)  # the best value lies at an end, beyond which the grid goes on
    done(3, 4)
    done(4, 4)
    assert lines == [
        "networks trained (4 of 10, about 3 minutes left)",
        "networks trained (6 of 12, about 3 minutes left)",
        "networks trained (8 of 12, about 2 minutes left)",
    ]


def test_progress_is_that_of_the_steps_and_not_of_the_lines(outputs, monkeypatch):
    """With 11 of 13 levels there, and a damaged file."""
    lines = []

    def make(*names, log, arms, done):
        done(11, 13)
        for finished in (12, 13):
            log("blur-02.npz is damaged and counts as not there: it is made again")
            done(finished, 13)

    monkeypatch.setattr(comparison, "load_tiles", lambda run: {})
    monkeypatch.setattr(comparison, "_run", lambda run, progress, log: None)
    monkeypatch.setattr(sweep, "make", make)
    make_comparison("robustness", "smoke", "phantom", ("sd_eq1_none",), lines.append)
    counted = [re.sub(", about .* left", "", line) for line in lines if " of 13" in line]
    what = "levels that images were shifted by"
    assert counted == [f"{what} (12 of 13)", f"{what} (13 of 13)"]
    assert "blur-02.npz is damaged and counts as not there: it is made again" in lines


def test_a_run_says_nothing_of_its_epochs(smoke):
    lines = []
    run = Run("cutout", "sd_eq1", 0, "smoke")
    run.folder.mkdir(parents=True)
    run.row_file.write_text("")
    comparison._run(run, Progress(2), lines.append)
    damaged, made = lines
    assert damaged == f"{run.row_file} is damaged and counts as not there: it is made again"
    assert re.fullmatch(rf"{run.id}: test accuracy 0\.\d+ \(1 of 2, about .* left\)", made)
    comparison._run(run, Progress(2), lines.append)
    assert len(lines) == 2  # nothing was made


def test_no_other_arms_are_swept(outputs, monkeypatch):
    swept = []
    monkeypatch.setattr(comparison, "load_tiles", lambda run: {})
    monkeypatch.setattr(comparison, "_run", lambda run, progress, log: None)
    monkeypatch.setattr(sweep, "make", lambda *names, **options: swept.append((names, options)))
    arms = ("weight_decay_none", "sd_eq1_none")
    make_comparison("robustness", "smoke", "phantom", arms, silent)
    ((names, options),) = swept
    assert names[:3] == ("robustness", "smoke", "phantom")
    assert options["arms"] == arms


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (59.7, "1 minute"),
        (89, "1 minute"),
        (91, "2 minutes"),
        (7199, "120 minutes"),
        (7200, "2.0 hours"),
    ],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words
