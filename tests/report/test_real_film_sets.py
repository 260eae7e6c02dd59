"""The real films are counted once, and pages read the counts."""

import pytest

from sdlib.datasets.store import data_folder
from sdlib.errors import DataError
from sdlib.report import real_film_sets
from sdlib.report.real_film_sets import (
    COLUMNS,
    count_real_sets,
    main,
    read_real_sets,
    real_sets_file,
)


def at_hand():
    try:
        return data_folder("open-cxr")
    except DataError:
        return None


def test_what_git_holds_says_what_the_situations_are():
    found = read_real_sets().set_index("set")["AUROC of the source"]
    assert found["shared, train"] == found["shared, test"] == 0.5  # one source
    assert found["paediatric, test"] == 1  # every source has one label
    assert 0.9 < found["added, test"] < 1


@pytest.mark.skipif(at_hand() is None, reason="SDLIB_DATA names no folder with open-cxr")
def test_the_recorded_counts_are_those_of_the_films():
    counted, recorded = count_real_sets(), read_real_sets()
    assert counted["set"].tolist() == recorded["set"].tolist()
    assert counted["images"].tolist() == recorded["images"].tolist()
    for name in COLUMNS[-2:]:
        assert counted[name].tolist() == pytest.approx(recorded[name].tolist())


def test_the_command_records(recorded, monkeypatch, capsys):
    assert not len(read_real_sets())
    assert tuple(read_real_sets().columns) == COLUMNS
    counts = {name: [1] for name in COLUMNS} | {"set": ["outside, test"]}
    monkeypatch.setattr(
        real_film_sets, "count_real_sets", lambda: real_film_sets.pd.DataFrame(counts)
    )
    main()
    assert "outside, test" in capsys.readouterr().out
    assert read_real_sets().to_dict("list") == counts


def test_without_films_nothing_is_written(recorded, monkeypatch, capsys):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.startswith("error: the data set 'open-cxr' is not part of")
    assert not real_sets_file().exists()


def test_another_file_is_refused(recorded):
    real_sets_file().parent.mkdir(parents=True, exist_ok=True)
    real_sets_file().write_text("set,images\na,1\n")
    with pytest.raises(DataError, match=r"expected the columns set, images, groups.*restore it"):
        read_real_sets()
