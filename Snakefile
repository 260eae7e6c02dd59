"""The graph: search -> train -> measure -> chapters -> checks -> site. `make` runs it.

By hand:   snakemake --cores all --keep-incomplete --config profile=quick source=phantom
Cluster:   the same with an executor; memory, minutes and GPUs are declared below.
Config:    profile, source; fresh=1 trains what is recorded, too; train=0 trains nothing.

What there is to do follows from the experiments (sdlib.experiments) and from what each chapter
declares to read (its metadata). Recorded rows count as done. A row that is there is never made
again: configurations are compared, and files are whole or not there, so a killed graph goes on
where it was.
"""

import sys
from pathlib import Path

from sdlib.datasets.store import fingerprint
from sdlib.experiments import EXPERIMENTS, PROFILES, Search
from sdlib.paths import outputs_folder
from sdlib.pipeline.chapters import chapters, reads
from sdlib.pipeline.jobs import jobs, measurement_jobs, search_before
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
JOBS = jobs(PROFILE, SOURCE, FRESH)  # an unknown profile or source ends here
MEASUREMENTS = measurement_jobs(PROFILE, SOURCE, FRESH)
if not TRAIN:
    JOBS, MEASUREMENTS = [], []


def rows_of(experiment):
    """The rows that are made here of an experiment."""
    return [here(run.row_file) for job in JOBS for run in job.runs if job.experiment == experiment]


def measured_of(experiment):
    """The measurements that are made here of an experiment."""
    return [here(one.done_file) for one in MEASUREMENTS if one.experiment == experiment]


def all_of(files, experiments):
    """The files of several experiments in one list, as snakemake wants them."""
    return [file for experiment in experiments for file in files(experiment)]


def networks_of(wildcards):
    """The rows that a measurement waits for: none if it needs no networks."""
    measurement = EXPERIMENTS[wildcards.experiment].measurement(wildcards.measurement)
    return rows_of(wildcards.experiment) if measurement.of_networks else []


def searched_before(wildcards):
    search = Search(wildcards.experiment, wildcards.family, PROFILE, SOURCE)
    before = search_before(search, JOBS)
    return [here(before.file)] if before else []


CHAPTERS = {path.stem: path for path in chapters(Path.cwd())}
READS = {name: reads(path) for name, path in CHAPTERS.items()}
# What any page may show: chapters are cheap, and executed again whenever this changes.
LIBRARY = fingerprint(
    path.read_bytes()
    for folder, pattern in (("sdlib", "*.py"), ("data/results", "*.*"), ("data/paper", "*.csv"))
    for path in sorted(Path(folder).rglob(pattern))
)
KINDS = (".md", ".bib", ".css", ".png", ".svg")
PAGES = [here(path) for path in sorted(Path("book").rglob("*.*")) if path.suffix in KINDS]


localrules: reproduce, site, gate, chapter


wildcard_constraints:
    experiment="[a-z0-9_]+",
    measurement="|".join(
        one.name for experiment in EXPERIMENTS.values() for one in experiment.measurements
    ),


rule reproduce:
    input:
        f"{SITE}/_build/html/index.html",
        all_of(rows_of, EXPERIMENTS),
        all_of(measured_of, EXPERIMENTS),
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
        rows=lambda wildcards: all_of(rows_of, READS[wildcards.chapter]),
        measured=lambda wildcards: all_of(measured_of, READS[wildcards.chapter]),
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
            # update: a row that is there is not deleted beforehand, so that it can be kept.
            [update(here(run.row_file)) for run in job.runs],
        params:
            runs=[run.id for run in job.runs],
            configurations=job.configurations,
        message:
            f"training {job.name}: {len(job.runs)} runs"
        threads: 1
        priority: 2 * job.urgent  # a measurement waits for them
        resources:
            mem_mb=PROFILES[PROFILE].memory_mb,
            runtime=PROFILES[PROFILE].minutes * len(job.runs),
            gpu=int(PROFILE == "paper"),
        shell:
            "{SDLIB}.pipeline train {params.runs} {SCALE} && touch {output}"


rule measure:
    input:
        networks_of,
    output:
        f"{OUTPUTS}/{SOURCE}/{PROFILE}/{{experiment}}/{{measurement}}/done.json",
    message:
        "measuring {wildcards.experiment}/{wildcards.measurement}"
    threads: 1
    priority: 2  # chapters wait for it
    resources:
        mem_mb=PROFILES[PROFILE].memory_mb,
        runtime=PROFILES[PROFILE].minutes,
        gpu=int(PROFILE == "paper"),
    shell:
        "{SDLIB} measure {wildcards.experiment}/{wildcards.measurement} {SCALE}"


rule search:
    input:
        searched_before,
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
