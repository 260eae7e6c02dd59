"""The page of a comparison on your own images: one file of HTML, to keep or to send."""

from __future__ import annotations

from matplotlib import rc_context

from sdlib.datasets.folder_names import short_name
from sdlib.plotting import use_style
from sdlib.report.own_data import figures, html, tables, verdict
from sdlib.report.own_data.findings import Findings
from sdlib.report.own_data.next_steps import next_steps
from sdlib.report.own_data.stained import RULE
from sdlib.results import provenance
from sdlib.training.comparison import in_words

__all__ = ["write_html"]


def write_html(found: Findings, command: str, dealt: bool) -> str:
    """The page as text.

    Parameters
    ----------
    found : Findings
    command : str
        What makes this page again.
    dealt : bool
        Whether patients were dealt into parts here, not by the manifest.
    """
    title = f"Weight decay and spectral decoupling on {short_name(found.place.source)}"
    answer = [
        verdict.headline(found),
        verdict.difference_sentence(found),
        verdict.shift_sentence(found),
        verdict.penalty_sentence(found),
    ]
    with rc_context():
        use_style()
        parts = [
            html.section("What to do next", html.items(next_steps(found))),
            _compared(found, dealt),
            _results(found),
            _cutoffs(found),
            _penalty(found),
            _shifts(found),
            *_columns(found),
            _images(found),
            _method(found, command),
        ]
    return html.document(title, answer, *parts)


def _compared(found: Findings, dealt: bool) -> str:
    settings = found.place.runs[0].settings
    used = len(found.test)
    start = "from ImageNet weights" if settings.pretrained else "from random weights"
    return html.section(
        "What was compared",
        html.paragraph(
            f"Two ways to keep a network from relying on too little: weight decay, and spectral "
            f"decoupling (SD), a penalty on the size of the logits. Both have the same network "
            f"({settings.network}, {settings.size} px, {start}), the same images, "
            f"{settings.epochs} epochs, and the same {len(found.seeds)} seeds, pair by pair."
        ),
        html.paragraph(_tuning(found)),
        html.table(tables.part_table(found)),
        html.paragraph(
            tables.split_sentence(found, written=not dealt) + " In each part the larger class was "
            f"cut down to the smaller one, and to the profile's number of images: {used} test "
            "images were used.",
            "quiet",
        ),
    )


def _tuning(found: Findings) -> str:
    place = found.place
    decay = verdict.decimal(place.setting(found.rival)["weight_decay"])
    lam = verdict.decimal(place.setting(found.arm)["lam"])
    if place.definition.arm(found.arm).search is None:
        return (
            f"Neither was tuned: weight decay {decay} and λ = {lam} are the paper's values. "
            "Without --no-search both are tuned."
        )
    networks = place.runs[0].settings.networks
    trials = len(place.definition.space(place.definition.arm(found.arm).search).grid["lam"])
    return (
        f"Each was tuned by {trials} trials of {networks} network{'s' if networks > 1 else ''}, "
        f"judged by AUROC on validation images: weight decay {decay}, λ = {lam}."
    )


def _results(found: Findings) -> str:
    n = f"n = {len(found.seeds)} seeds, {verdict.patients(found)}"
    return html.section(
        "Results on the test images",
        html.picture(
            figures.difference_figure(found),
            f"Spectral decoupling minus weight decay: mean and 95 % interval over seeds and test "
            f"patients ({n}). Right of 0 it is better. In the grey band a difference counts as "
            f"none.",
            "Dots with intervals: differences of accuracy, recall, specificity and AUROC, and of "
            "accuracy on shifted images.",
        ),
        html.table(tables.metric_table(found)),
        html.paragraph(
            "Differences in points, with their 95 % interval over seeds and test patients; then "
            "the mean of each method over seeds (SD over seeds), at a cut-off of .5. Of six "
            "intervals, one may leave out 0 by chance.",
            "quiet",
        ),
    )


def _cutoffs(found: Findings) -> str:
    return html.section(
        "Is it only a moved cut-off?",
        html.paragraph(verdict.cutoff_sentence(found)),
        html.table(tables.cutoff_table(found)),
        html.paragraph(
            "Balanced accuracy on test images. A tuned cut-off is each network's best on "
            "validation images; it needs no other training.",
            "quiet",
        ),
    )


def _penalty(found: Findings) -> str:
    return html.section(
        "Was the penalty binding?",
        html.paragraph(verdict.penalty_sentence(found)),
        html.table(tables.penalty_table(found)),
        html.picture(
            figures.margin_figure(found),
            f"Margins on validation and test images, all {len(found.seeds)} seeds; left of 0 are "
            "the errors. The dashed line is the cap, where it is near enough to be shown.",
            "Two outlined histograms of margins with the cap of the penalty as a dashed line.",
        ),
        html.paragraph(
            "Margins on training images are larger than these: a penalty that binds here binds "
            "there, too.",
            "quiet",
        ),
    )


def _shifts(found: Findings) -> str:
    levels = len(found.place.sweep.levels) - 1
    stains = (
        "Haematoxylin and eosin are faded after Macenko's separation."
        if found.stained
        else f"Stains were left out: the images do not look like H&E ({RULE}), or --stain no was "
        "given."
    )
    return html.section(
        "What shifts do",
        html.paragraph(verdict.shift_sentence(found)),
        html.picture(
            figures.sweep_figure(found, narrow=False),
            f"Balanced accuracy of {len(found.seeds)} networks each on the test images at the "
            f"paper's levels of shift ({levels} with the stains): mean and SD over seeds. Ticks on "
            f"the left are unshifted images. {stains}",
            "Curves of balanced accuracy against the strength of each shift, for both methods.",
            figures.sweep_figure(found, narrow=True),
        ),
        html.table(tables.shift_table(found)),
    )


def _columns(found: Findings) -> list[str]:
    found_tables = tables.column_tables(found)
    if not found_tables:
        return []
    parts = [html.table(one) for one in found_tables.values()]
    note = (
        "Balanced accuracy on the test images of each value, mean over seeds; images are given as "
        "negative + positive. These lines are small samples without an interval: leads, no results."
    )
    return [html.section("By the manifest's other columns", *parts, html.paragraph(note, "quiet"))]


def _images(found: Findings) -> str:
    return html.section(
        "Images to look at",
        html.paragraph(
            "The test images on which the two methods differ most, by the mean probability of "
            "their networks."
        ),
        html.details("The list", html.table(tables.image_table(found))),
    )


def _method(found: Findings, command: str) -> str:
    rows = found.place.rows
    mine = rows[rows["arm"].isin((found.rival, found.arm))]
    seconds = mine["seconds"].sum()
    devices = " and ".join(sorted(mine["device"].unique()))
    codes = " and ".join(sorted(mine["code_version"].unique()))
    searched = tables.search_table(found)
    if searched is not None:  # trials of an earlier command may be there without being used
        seconds += found.place.trials["seconds"].sum()
    parts = [
        html.paragraph(
            "The interval adds the error over seeds and the error over test patients (a jackknife: "
            "measured again without each patient, or each of 100 blocks of patients), with "
            "Student's t. It errs on the wide side. It says nothing of other hospitals."
        ),
        html.paragraph(
            f"The answer: above 0 the method helps; below 0 it does harm; where two one-sided "
            f"tests at 5 % put the difference within {100 * verdict.MARGIN:.0f} points it makes no "
            "difference that matters; else it cannot be decided."
        ),
        html.paragraph(
            "Equation 2, with a target for each class, is left out: its values in the paper were "
            "tuned on the test images of another task, and what they change first is the cut-off."
        ),
    ]
    if searched is not None:
        parts.append(html.details("All trials", html.table(searched)))
    parts += [
        html.paragraph(f"Training took {in_words(seconds)} on {devices}, with sdlib {codes}."),
        html.paragraph(f"This page: {provenance()}."),
        f"<p>Make it again: <code>{html.text(command)}</code></p>",
    ]
    return html.section("How it was done", *parts)
