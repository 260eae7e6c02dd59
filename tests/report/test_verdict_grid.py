"""The picture of all verdicts says what the table says."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from sdlib.report.rule import Verdict
from sdlib.report.verdict_grid import verdict_grid

WORDS = {
    Verdict.REPRODUCED: "yes",
    Verdict.PARTLY: "partly",
    Verdict.NOT_REPRODUCED: "no",
    Verdict.UNDECIDED: "?",
    Verdict.NOT_ATTEMPTED: "–",
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_word(verdict):
    table = pd.DataFrame(
        {"where": "3.1", "claim": "a claim of many words " * 9, "recorded: open, laptop": verdict},
        index=["C1"],
    )
    table["this run: open, laptop"] = f"{verdict} (judged live)"
    (ax,) = verdict_grid(table).axes
    assert [text.get_text() for text in ax.texts] == [WORDS[verdict]] * 2
    assert ax.get_xticklabels()[0].get_text() == "recorded:\nopen,\nlaptop"
    (name,) = (t.get_text() for t in ax.get_yticklabels())
    assert name.startswith("C1: a claim")
    assert name.endswith("...")
    plt.close("all")
