"""The graph: search -> train -> chapters -> gate -> site. `make reproduce` and `make book` run it.

By hand:   snakemake --cores all --keep-incomplete --config profile=quick source=phantom
Cluster:   the same with an executor; memory, minutes and GPUs are declared below.
Config:    profile, source; fresh=1 trains what is recorded, too; train=0 trains nothing.

Recorded rows count as done. A row that stands is never made again: `jobs.train` compares
configurations, and files are whole or not there, so a killed graph goes on where it was.
"""

import sys
from pathlib import Path

from sdlib.pipeline import jobs as graph
from sdlib.results import sharpness
from sdlib.results import sweeps
from sdlib.pipeline.chapters import chapters
from sdlib.datasets.store import fingerprint
from sdlib.experiments import EXPERIMENTS, PROFILES, Search
from sdlib.paths import outputs_folder
from sdlib.pipeline.site import site_folder


def flag(name, default):
    return str(config.get(name, default)).lower() in ("1", "true", "yes")


def here(path):
    """Relative to the repository where possible: snakemake remembers files by these names."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


PROFILE, SOURCE = config.get("profile", "quick"), config.get("source", "phantom")
FRESH, TRAIN = flag("fresh", 0), flag("train", 1)
SDLIB = f"{sys.executable} -m sdlib"
SCALE = f"--profile {PROFILE} --source {SOURCE}"
OUTPUTS, SITE = here(outputs_folder()), here(site_folder())
JOBS = graph.jobs(PROFILE, SOURCE, FRESH)  # an unknown profile or source ends here
JOBS = JOBS if TRAIN else []


def searched_before(wildcards):
    search = Search(wildcards.experiment, wildcards.family, PROFILE, SOURCE)
    before = graph.search_before(search, JOBS)
    return [before] if before else []


CHAPTERS = {path.stem: path for path in chapters(Path.cwd())}
# The experiments whose rows a chapter shows; the others wait for none.
SHOWN = {
    "04_dominant_features": ["cutout", "cutout_sensitivity"],
    "05_distribution_shift": ["robustness", "stain_a", "stain_b"],
    "10_report": list(EXPERIMENTS),
}
SWEPT = {
    name: here(sweeps.done_file(name, PROFILE, SOURCE))
    for name in (graph.sweeps_needed(PROFILE, SOURCE, FRESH) if TRAIN else [])
}
SHARPNESS = here(sharpness.file_of(PROFILE, SOURCE, "this run"))
MEASURED = [SHARPNESS] if TRAIN and graph.sharpness_needed(PROFILE, SOURCE, FRESH) else []
# What any page may show: chapters are cheap, and executed again whenever this changes.
LIBRARY = fingerprint(
    path.read_bytes()
    for folder, pattern in (("sdlib", "*.py"), ("data/results", "*.*"), ("data/paper", "*.csv"))
    for path in sorted(Path(folder).rglob(pattern))
)
KINDS = (".md", ".bib", ".css", ".png", ".svg")
PAGES = [here(path) for path in sorted(Path("book").rglob("*.*")) if path.suffix in KINDS]


localrules: reproduce, site, gate, chapter


rule reproduce:
    input:
        f"{SITE}/_build/html/index.html",
        [here(run.row_file) for job in JOBS for run in job.runs],
        [*SWEPT.values(), *MEASURED],
    message:
        "all done"


rule site:
    input:
        f"{SITE}/gate.ok",
        ["_config.yml", "_toc.yml", *PAGES],
    output:
        f"{SITE}/_build/html/index.html",
    message:
        "building the site"
    shell:
        "{SDLIB}.pipeline build"


rule gate:
    input:
        [f"{SITE}/{path}" for path in CHAPTERS.values()],
    output:
        touch(f"{SITE}/gate.ok"),
    message:
        "reading the executed chapters for errors and litter"
    shell:
        "{SDLIB}.pipeline gate {SITE}/book"


rule chapter:
    input:
        notebook="book/{part}/{chapter}.ipynb",
        rows=lambda wildcards: [
            here(run.row_file)
            for job in JOBS
            for run in job.runs
            if run.experiment in SHOWN.get(wildcards.chapter, [])
        ],
        sweeps=lambda wildcards: [
            SWEPT[name] for name in SHOWN.get(wildcards.chapter, []) if name in SWEPT
        ],
        sharpness=lambda wildcards: (
            MEASURED if "robustness" in SHOWN.get(wildcards.chapter, []) else []
        ),
    output:
        SITE + "/book/{part}/{chapter}.ipynb",
    params:
        scale=SCALE,
        library=LIBRARY,
    message:
        "executing {wildcards.chapter}"
    shell:
        "{SDLIB}.pipeline execute {input.notebook} {output} {params.scale}"


for job in JOBS:

    rule:
        name:
            f"train_{job.name}"
        input:
            [here(job.search.file)] if job.search else [],
        output:
            # update: a standing row is not deleted beforehand, so that it can be kept.
            [update(here(run.row_file)) for run in job.runs],
        params:
            runs=[run.id for run in job.runs],
            configurations=job.configurations,
        message:
            f"training {job.name}: {len(job.runs)} runs"
        threads: 1
        priority: 2 * EXPERIMENTS[job.runs[0].experiment].swept  # a sweep waits for them
        resources:
            mem_mb=PROFILES[PROFILE].memory_mb,
            runtime=PROFILES[PROFILE].minutes * len(job.runs),
            gpu=int(PROFILE == "paper"),
        shell:
            "{SDLIB}.pipeline train {params.runs} {SCALE} && touch {output}"


rule sweep:
    input:
        lambda wildcards: [
            here(run.row_file)
            for job in JOBS
            for run in job.runs
            if run.experiment == wildcards.experiment
        ],
    output:
        f"{OUTPUTS}/{SOURCE}/{PROFILE}/{{experiment}}/sweep/done.json",
    message:
        "shifting the test tiles of {wildcards.experiment}"
    threads: 1
    priority: 2  # two chapters wait for it
    resources:
        mem_mb=PROFILES[PROFILE].memory_mb,
        runtime=PROFILES[PROFILE].minutes,
        gpu=int(PROFILE == "paper"),
    shell:
        "{SDLIB} sweep {wildcards.experiment} {SCALE}"


rule sharpness:
    output:
        SHARPNESS,
    message:
        "measuring the sharpness of scanners"
    shell:
        "{SDLIB} sharpness {SCALE}"


rule search:
    input:
        lambda wildcards: [here(search.file) for search in searched_before(wildcards)],
    output:
        f"{OUTPUTS}/{SOURCE}/{PROFILE}/{{experiment}}/search/{{family}}/trials.jsonl",
    params:
        trials=PROFILES[PROFILE].trials,
    message:
        "searching {wildcards.experiment}/{wildcards.family}"
    threads: 1
    priority: 1  # most of the training waits for it
    resources:
        mem_mb=PROFILES[PROFILE].memory_mb,
        runtime=PROFILES[PROFILE].minutes * PROFILES[PROFILE].trials,
        gpu=int(PROFILE == "paper"),
    shell:
        "{SDLIB} search {wildcards.experiment}/{wildcards.family} {SCALE}"
