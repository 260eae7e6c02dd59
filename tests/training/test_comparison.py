"""Progress of a comparison: what is counted, and how the time that is left is measured."""

import itertools

import pytest

from sdlib.training import comparison, sweep
from sdlib.training.comparison import Progress, in_words, make_comparison


def silent(line):
    pass


def clock(*seconds):
    times = itertools.accumulate(seconds)
    return lambda: next(times)


def test_the_time_left_is_measured_on_this_commands_steps():
    progress = Progress(10, clock=clock(0, 60, 60, 240))
    progress.skip(4)  # of an earlier command: they say nothing of this machine's speed
    assert progress.step() == "5 of 10, about 5 minutes left"
    assert progress.step() == "6 of 10, about 4 minutes left"
    # A trial of two networks took four minutes: now four networks took six.
    assert progress.step(2) == "8 of 10, about 3 minutes left"


def test_steps_that_others_made_are_counted_and_not_timed():
    progress = Progress(10, clock=clock(0, 1000, 30))
    progress.reach(8)
    assert progress.step() == "9 of 10, about 30 seconds left"


def test_at_the_end_nothing_is_left():
    progress = Progress(1, clock=clock(0, 5))
    assert progress.step() == "1 of 1"


def test_reach_never_goes_back():
    progress = Progress(5, clock=clock(0, 1, 1))
    progress.step(4)
    progress.reach(2)
    assert progress.done == 4


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
