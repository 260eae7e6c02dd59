"""Chapters in batch: parameters, failures, the gate, and every chapter of the book once."""

import base64
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.experiments import EXPERIMENTS
from sdlib.paths import ROOT
from sdlib.pipeline import chapters, site
from sdlib.pipeline.output_checks import gate, offline, refuse

PARAMETERS = 'profile = "quick"\nseeds = 2\nrate = 0.1\nfresh = False'


def write(path, *sources, parameters=PARAMETERS):
    """A notebook with a parameters cell and the code cells ``sources``."""
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
    return path


def texts(path):
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


# -- Kernels


def test_a_kernel_takes_no_port_that_another_process_could_take_first(tmp_path):
    chapter = write(
        tmp_path / "a.ipynb",
        "from ipykernel.connect import get_connection_info\n"
        "info = get_connection_info(unpack=True)\n"
        "print(info['transport'], info['ip'])",
    )
    out = tmp_path / "out.ipynb"
    chapters.execute(chapter, out)
    transport, folder = texts(out).split()
    assert transport == "ipc"
    assert not Path(folder).parent.exists()  # removed with its sockets


def test_a_kernel_that_is_stopped_in_its_last_message_is_silent(tmp_path, capfd):
    slow = """
import time

kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]


async def answer_and_linger(*message):
    await answer(*message)  # papermill's last question: then it interrupts the kernel
    time.sleep(1)


kernel.shell_handlers["kernel_info_request"] = answer_and_linger
print("seen")
"""
    chapter = write(tmp_path / "a.ipynb", slow)
    chapters.execute(chapter, tmp_path / "out.ipynb")
    assert texts(tmp_path / "out.ipynb") == "seen\n"
    assert capfd.readouterr().err == ""


# -- Parameters


def test_defaults_are_read_with_their_types(tmp_path):
    found = chapters.parameters(write(tmp_path / "a.ipynb"))
    assert found == {"profile": "quick", "seeds": 2, "rate": 0.1, "fresh": False}


@pytest.mark.parametrize(
    "cell",
    [
        'query = "a=b"\nrates = {"lam": 0.1, "gamma": [1, -2]}',
        "colour = \"#d55e00\"  # an arm's\nsign = '#'",
        'text = """two = 1\n# lines"""\nn: int = 3\nnothing: str | None = None',
        'first = second = "=="; third = -1.5\nlong = (\n    "a"  # b = c\n    "#"\n)',
        'import os\n"a note"\nfor i in ():\n    j = 1',
    ],
)
def test_defaults_are_read_as_python_reads_them(tmp_path, cell):
    names = {}
    exec(cell, {}, names)
    for name in {"os", "__annotations__"} & names.keys():
        del names[name]
    assert chapters.parameters(write(tmp_path / "a.ipynb", parameters=cell)) == names


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ("a = 1\nn = len('ab')", r"name = plain value, got \"n = len\('ab'\)\" in line 2"),
        ("a, b = 1, 2", "name = plain value, got 'a, b = 1, 2' in line 1"),
        ("a = 1\nb = = 2", "parameters cell is not Python: .*line 2"),
    ],
)
def test_a_default_that_is_no_plain_value_is_refused(tmp_path, cell, match):
    with pytest.raises(DataError, match=match):
        chapters.parameters(write(tmp_path / "a.ipynb", parameters=cell))


def test_a_chapter_without_parameters_has_none(tmp_path):
    nbformat.write(new_notebook(cells=[new_code_cell("n = 3")]), tmp_path / "a.ipynb")
    assert chapters.parameters(tmp_path / "a.ipynb") == {}


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"profil": "quick"}, "no parameter 'profil'; its parameters: profile, seeds, rate, fresh"),
        ({"seeds": "two"}, "parameter seeds as int like 2, got 'two'"),
        ({"seeds": "2.5"}, "parameter seeds as int"),
        ({"fresh": "1"}, "parameter fresh as bool"),
        ({"profile": 3}, "parameter profile as str"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(tmp_path, values, match):
    chapter = write(tmp_path / "a.ipynb", "raise SystemExit")
    with pytest.raises(ConfigError, match=match):
        chapters.execute(chapter, tmp_path / "out" / "a.ipynb", values)
    assert not (tmp_path / "out").exists()


def test_something_that_is_no_notebook_is_a_data_error(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "list.ipynb").write_text("[1]")
    (tmp_path / "other.ipynb").write_text('{"metadata": {}, "cells": [3]}')
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe")
    for name in ("broken", "absent", "list", "other", "bytes"):
        for read in (chapters.parameters, chapters.reads):
            with pytest.raises(DataError, match=f"expected a notebook at .*{name}"):
                read(tmp_path / f"{name}.ipynb")


# -- Execution


def test_parameters_arrive_typed_and_only_if_they_differ(tmp_path, monkeypatch):
    chapter = write(
        tmp_path / "book" / "a.ipynb",
        "import os\nprint(profile, seeds, rate, os.path.basename(os.getcwd()))",
    )
    out = tmp_path / "out" / "a.ipynb"
    monkeypatch.chdir(tmp_path)  # where papermill is called from must not matter
    chapters.execute(Path("book/a.ipynb"), out, {"seeds": "5", "rate": 1, "profile": "quick"})
    assert texts(out) == "quick 5 1.0 book\n"
    injected = [c for c in nbformat.read(out, 4).cells if "injected-parameters" in c.metadata.tags]
    assert "seeds = 5" in injected[0].source
    assert "profile" not in injected[0].source
    assert str(tmp_path) not in out.read_text()
    assert texts(chapter) == ""


def test_the_page_shows_the_parameters_that_were_used(tmp_path):
    cell = 'profile = "laptop"  # of "this run"\nnames = [\n    "ä",\n]  # two lines\nseeds = 2'
    chapter = write(tmp_path / "a.ipynb", "print(profile, names, seeds)", parameters=cell)
    chapters.execute(chapter, tmp_path / "out.ipynb", {"profile": "quick", "names": ["ö"]})
    assert texts(tmp_path / "out.ipynb") == "quick ['ö'] 2\n"
    shown = nbformat.read(tmp_path / "out.ipynb", 4).cells[0].source
    assert shown == "profile = 'quick'  # of \"this run\"\nnames = ['ö']  # two lines\nseeds = 2"
    assert nbformat.read(chapter, 4).cells[0].source == cell


def test_values_with_signs_of_python_arrive_whole(tmp_path, capfd):
    cell = 'query = "a=b"\ncolour = "#d55e00"'
    chapter = write(tmp_path / "a.ipynb", "print(query, colour)", parameters=cell)
    chapters.execute(chapter, tmp_path / "out.ipynb", {"query": "x == 'y' # z"})
    assert texts(tmp_path / "out.ipynb") == "x == 'y' # z #d55e00\n"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("x = 1\nraise ValueError('no such arm')", "a, cell 3 failed: ValueError: no such arm"),
        ("import os\nos.kill(os.getpid(), 9)", "a was not finished: .*[Kk]ernel died"),
    ],
)
def test_a_failed_chapter_leaves_what_was_there_before(tmp_path, source, match):
    chapter = write(tmp_path / "a.ipynb", "1 + 1", source)
    out = tmp_path / "out" / "a.ipynb"
    out.parent.mkdir()
    out.write_text("earlier")
    with pytest.raises(SdlibError, match=match):
        chapters.execute(chapter, out)
    assert out.read_text() == "earlier"
    assert [path.name for path in out.parent.iterdir()] == ["a.ipynb"]


# -- What a chapter reads


def declaring(path, *sources, reads=None):
    notebook = nbformat.read(write(path, *sources), 4)
    if reads is not None:
        notebook.metadata["sdlib"] = {"reads": reads}
    nbformat.write(notebook, path)
    return path


def test_a_chapter_declares_the_experiments_that_it_shows(tmp_path):
    assert chapters.reads(declaring(tmp_path / "a.ipynb", reads=["cutout"])) == ["cutout"]
    assert chapters.reads(declaring(tmp_path / "b.ipynb", reads=["all"])) == list(EXPERIMENTS)
    assert chapters.reads(declaring(tmp_path / "c.ipynb")) == []
    with pytest.raises(ConfigError, match="unknown experiment 'cutuot'"):
        chapters.reads(declaring(tmp_path / "d.ipynb", reads=["cutuot"]))
    with pytest.raises(DataError, match="expected a notebook at"):
        chapters.reads(tmp_path / "absent.ipynb")


@pytest.mark.parametrize("reads", [None, [], ["robustness"], ["cutout"], ["all"]])
def test_a_chapter_cannot_show_rows_that_the_graph_does_not_wait_for(tmp_path, outputs, reads):
    """Else a page would show whatever was finished when it was executed."""
    code = 'from sdlib.results import Place\nPlace("cutout", "quick", "phantom", "this run").arms'
    chapter = declaring(tmp_path / "a.ipynb", code, reads=reads)
    if reads in (["cutout"], ["all"]):
        chapters.execute(chapter, tmp_path / "out.ipynb")
        assert (tmp_path / "out.ipynb").exists()
    else:
        with pytest.raises(SdlibError, match="results of 'cutout', which it does not declare"):
            chapters.execute(chapter, tmp_path / "out.ipynb")


def test_the_chapters_on_everything_wait_for_everything():
    read = {path.stem: chapters.reads(ROOT / path) for path in chapters.chapters()}
    assert read["10_report"] == read["11_limits"] == list(EXPERIMENTS)
    assert read["04_dominant_features"] == [
        "cutout",
        "cutout_sensitivity",
        "cutout_interpolation",
    ]
    assert read["02_gradient_starvation"] == []


def test_papermills_own_cell_is_not_shown(tmp_path):
    out = tmp_path / "out.ipynb"
    chapters.execute(write(tmp_path / "a.ipynb", "print(seeds)"), out, {"seeds": 5})
    injected = [c for c in nbformat.read(out, 4).cells if "injected-parameters" in c.metadata.tags]
    assert ["remove-input" in cell.metadata.tags for cell in injected] == [True]


# -- The gate


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shown(**data):
    return new_output("display_data", {k.replace("_", "/"): v for k, v in data.items()})


NOISE = np.arange(300).reshape(10, 10, 3) % 251
PLANTED = {
    "error": (new_output("error", ename="KeyError", evalue="x"), "an error output (KeyError)"),
    "stderr": (new_output("stream", name="stderr", text="FutureWarning"), "output on stderr"),
    "tqdm": (new_output("stream", name="stdout", text=" 40%|####  | 2/5"), "a progress bar"),
    "rate": (new_output("stream", name="stdout", text="[00:01<00:02, 3.2it/s]"), "a progress bar"),
    "widget": (shown(text_plain="FloatProgress(value=0.0)"), "a progress bar"),
    "path": (
        new_output("stream", name="stdout", text="in /home/ada/book"),
        "a path of one machine",
    ),
    "windows": (shown(text_html="<td>C:\\Users\\ada</td>"), "a path of one machine"),
    "repr": (shown(text_plain="<Axes.Line2D at 0x7f00ab12>"), "the repr of an object"),
    "nothing": (shown(text_plain="<Figure size 640x480 with 0 Axes>"), "the repr of an object"),
    "blank": (shown(image_png=png(np.full((10, 10, 3), 255))), "an empty figure"),
}
HARMLESS = [
    new_output(
        "stream", name="stdout", text="95 % interval, 3/5 seeds, outputs/<source>/row.json\n"
    ),
    shown(text_plain="<Styler at 0x7f00ab12>", text_html="<table><td>and/or</td></table>"),
    shown(image_png=png(NOISE), text_plain="<Figure size 640x480 with 1 Axes>"),
    shown(text_html='<a href="https://example.org/home/x">link</a> <br/>'),
]


def executed(folder, *outputs, count=1, **metadata):
    cell = new_code_cell("show()", execution_count=count, metadata=metadata)
    cell.outputs = list(outputs)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T"), cell]), folder / "07_x.ipynb")


@pytest.mark.parametrize("name", PLANTED)
def test_the_gate_finds_what_is_planted_and_says_where(tmp_path, name):
    output, what = PLANTED[name]
    executed(tmp_path, *HARMLESS, output)
    findings = gate(tmp_path)
    assert len(findings) == 1
    assert findings[0].startswith(f"07_x, cell 2: {what}")
    with pytest.raises(SdlibError, match="1 findings:\n07_x, cell 2"):
        refuse(findings, "findings")


def test_the_gate_lets_a_clean_chapter_pass_and_stops_an_unexecuted_one(tmp_path):
    executed(tmp_path, *HARMLESS)
    assert gate(tmp_path) == []
    executed(tmp_path, count=None)
    assert gate(tmp_path) == ["07_x, cell 2: was not executed"]


def test_a_gate_without_chapters_is_an_error(tmp_path):
    (tmp_path / "empty" / ".ipynb_checkpoints").mkdir(parents=True)
    executed(tmp_path / "empty" / ".ipynb_checkpoints")
    for name in ("empty", "absent"):
        with pytest.raises(DataError, match=f"executed chapters .*under .*{name}, found none"):
            gate(tmp_path / name)
    command = [sys.executable, "-m", "sdlib.pipeline", "gate", str(tmp_path / "absent")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: expected executed chapters")
    assert done.stderr.count("\n") == 1


def test_the_gate_reads_a_folder_below_one_that_it_would_skip(tmp_path):
    (tmp_path / "_build").mkdir()
    executed(tmp_path / "_build", count=None)
    assert gate(tmp_path / "_build") == ["07_x, cell 2: was not executed"]


def test_the_gate_names_a_broken_chapter(tmp_path):
    executed(tmp_path, *HARMLESS)
    for text in ("{", "[]", '{"nbformat": 4, "nbformat_minor": 5}'):
        (tmp_path / "broken.ipynb").write_text(text)
        with pytest.raises(DataError, match=r"expected a notebook at .*broken"):
            gate(tmp_path)


def test_a_caption_belongs_to_one_output(tmp_path):
    caption = {"figure": {"name": "fig-x", "caption": "A figure."}}
    picture, text = shown(image_png=png(NOISE)), shown(text_markdown="read aloud")
    executed(tmp_path, picture, mystnb=caption)
    assert gate(tmp_path) == []
    executed(tmp_path, picture, text, mystnb=caption)
    (finding,) = gate(tmp_path)
    assert finding.startswith("07_x, cell 2: 2 outputs under one caption")


def test_pages_that_need_the_network_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/x.css"><a href="https://x.org">x</a>'
        '<script async src="//cdn.example/y.js"></script><img src="../_images/z.png">'
        '<link rel="next" href="https://x.org/b.html">'
    )
    assert [finding.split()[2] for finding in offline(tmp_path)] == [
        "https://fonts.example/x.css:",
        "//cdn.example/y.js:",
    ]


def test_a_site_without_pages_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"expected pages .*found none"):
        offline(tmp_path)


def test_the_book_is_found_and_shown_in_words_for_a_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "my outputs (1)"))
    with pytest.raises(SdlibError, match=r"expected the book at .*index.html: build it with"):
        site.show()
    page = site.first_page()
    page.parent.mkdir(parents=True)
    page.write_text("<html></html>")
    site.show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"The book: {page}"
    assert shlex.split(lines[-1])[1:] == ["-m", "http.server", "--directory", str(page.parent)]


def test_a_site_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "site").write_text("a file in the way")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path))
    with pytest.raises(
        SdlibError, match=r"cannot write the site to .*site is a file, not a folder"
    ):
        site.stage()
    (tmp_path / "link").symlink_to("nowhere")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "link"))
    with pytest.raises(SdlibError, match="link is a link to nowhere, which is not there"):
        site.stage()


# -- The book

# One worker: the site is built from what the others executed.
together = pytest.mark.xdist_group("book")


@pytest.fixture(scope="module")
def outputs(book_outputs):
    """Chapters see recorded rows alone, as in a fresh clone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(book_outputs))
        yield book_outputs


@together
def test_without_an_address_of_the_code_the_configuration_stays_as_it_is():
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    unset = re.sub(r'^  url: ".*"$', '  url: ""', config, flags=re.M)
    assert site.with_address(unset) == unset
    assert site.with_address("title: a book") == "title: a book"


def test_the_address_of_the_code_is_linked_from_the_first_page_and_every_foot():
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    address = "https://example.org/name/code"
    given = re.sub(r'^  url: ".*"$', f'  url: "{address}"', config, flags=re.M)
    before, after = yaml.safe_load(config), yaml.safe_load(site.with_address(given))
    assert after["parse"]["myst_substitutions"]["code_address"] == f"[{address}]({address})"
    assert f'href="{address}"' in after["html"]["extra_footer"]
    assert before["html"]["extra_footer"] in after["html"]["extra_footer"]
    assert after["sphinx"] == before["sphinx"]
    assert "{{ code_address }}" in (ROOT / "book" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["git@example.org:name/code", "https://a b", 'https://a"b', 7])
def test_an_address_that_is_none_is_refused(address):
    config = yaml.safe_dump({"repository": {"url": address}})
    with pytest.raises(ConfigError, match=r"expected repository.url in _config.yml as https"):
        site.with_address(config)


@pytest.mark.parametrize("chapter", chapters.chapters(), ids=lambda path: path.stem)
def test_chapter_runs_and_is_clean(outputs, chapter):
    out = outputs / "site" / chapter
    chapters.execute(ROOT / chapter, out)
    assert [finding for finding in gate(out.parent) if finding.startswith(chapter.stem)] == []


@together
def test_the_site_builds_strictly_and_reads_offline(outputs, built_site):
    assert built_site.is_relative_to(outputs)
    text = (built_site.parent / "book" / "notation.html").read_text()
    assert "mathjax/tex-chtml.js" in text
