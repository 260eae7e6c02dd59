"""Every control of chapter 4: which pairs, and where cut-offs are tuned."""

from dataclasses import replace

from sdlib.report.cutout.cutoff_control import control_table, every_control
from tests.written_results import write_run, write_search


def test_every_arm_of_equation_2_meets_both_rivals_where_it_was_tuned(rows):
    found = every_control(rows)
    assert [(one.arm, one.judged_on, one.rival) for one in found] == [
        ("sd_eq2_tuned", "validation", "weight_decay"),
        ("sd_eq2_tuned", "validation", "weight_decay_tuned"),
        ("sd_eq2_test_tuned", "test", "weight_decay"),
        ("sd_eq2_test_tuned", "test", "weight_decay_test_tuned"),
    ]
    table = control_table(found)
    assert len(table) == 4
    assert table.index.names == ["arm", "minus"]


def test_pairs_without_rows_are_left_out(nothing):
    assert every_control(nothing) == []
    assert not len(control_table([]))
    write_search("cutout", "sd_eq2", 3)
    for arm in ("weight_decay", "sd_eq2_tuned"):
        write_run("cutout", arm, 0)
    # A place reads its rows once, so a new one is needed.
    (one,) = every_control(replace(nothing))
    assert (one.arm, one.rival) == ("sd_eq2_tuned", "weight_decay")
