"""The graph: search -> train -> measure -> chapters -> checks -> site. `make` runs it.

By hand:   snakemake --cores all --keep-incomplete --config profile=quick source=phantom
Slurm:     make reproduce EXECUTOR=slurm; memory, minutes, CPUs and GPUs are declared below.
Config:    profile, source; fresh=1 trains what is recorded, too; train=0 trains nothing.

What there is to do follows from the experiments (sdlib.experiments) and from what each chapter
declares to read (its metadata). Recorded rows count as done. A row that is there is never made
again: configurations are compared, and files are whole or not there, so a killed graph goes on
where it was.
"""

import os
import shlex
import sys
from pathlib import Path

from sdlib.datasets.folder_names import file_name, whole_name
from sdlib.datasets.store import fingerprint
from sdlib.errors import ConfigError, SdlibError
from sdlib.experiments.profiles import scale_options
from sdlib.experiments import EXPERIMENTS, Search
from sdlib.files import obstacle
from sdlib.paths import outputs_folder
from sdlib.pipeline import slurm
from sdlib.pipeline.chapters import chapters, reads
from sdlib.pipeline.jobs import jobs, lenders, measurement_jobs, results_here, search_before
from sdlib.pipeline.processes import GRAPH
from sdlib.pipeline.site import first_page, site_folder

FLAGS = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def flag(name, default):
    value = str(config.get(name, default)).lower()
    if value not in FLAGS:
        raise ConfigError(f"expected {name}=0 or {name}=1, got {name}={value}")
    return FLAGS[value]


def here(path):
    """Relative to the repository where possible: snakemake remembers files by these names."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def usable(folder):
    """The outputs' folder, if it can be made and snakemake can write it down."""
    if found := obstacle(folder):
        raise SdlibError(f"cannot write to {folder}: {found}")
    if set("{}") & set(here(folder)):
        raise ConfigError(f"expected outputs in a folder without braces in its path, got {folder}")
    return here(folder)


os.environ[GRAPH] = str(Path.cwd())  # jobs inherit it: a killed graph's are known by it
if slurm.submitted():
    # A shell that died of the signal before a preemption would take the job for failed.
    shell.prefix("set -euo pipefail; trap : TERM; ")
PYTHON = shlex.quote(sys.executable)
PROFILE = str(config.get("profile", "quick"))
try:
    SOURCE = whole_name(str(config.get("source", "phantom")))
    FRESH, TRAIN = flag("fresh", 0), flag("train", 1)
    OUTPUTS = usable(outputs_folder())
    JOBS = jobs(PROFILE, SOURCE, FRESH) if TRAIN else []
    MEASUREMENTS = measurement_jobs(PROFILE, SOURCE, FRESH) if TRAIN else []
    PRESENT = {name: results_here(name, PROFILE, SOURCE) for name in EXPERIMENTS}
    CHAPTERS = {path.stem: path for path in chapters(Path.cwd())}
    READS = {name: reads(path) for name, path in CHAPTERS.items()}
except SdlibError as error:  # such as an unknown profile
    sys.exit(f"error: {error}")
SCALE = scale_options(PROFILE, SOURCE)
SITE, INDEX = here(site_folder()), here(first_page())


def rows_of(experiment):
    """The rows that are made here of an experiment."""
    return [here(run.row_file) for job in JOBS for run in job.runs if job.experiment == experiment]


def measured_of(experiment):
    """The measurements that are made here of an experiment."""
    return [here(one.done_file) for one in MEASUREMENTS if one.experiment == experiment]


def all_of(files, experiments):
    """The files of several experiments in one list, as snakemake wants them."""
    return [file for experiment in experiments for file in files(experiment)]


def shown_of(experiment):
    """This machine's results of an experiment: those that are there and those to be made.

    Both, so that a page has the same inputs, and is up to date, whether the graph trains or not.
    """
    made = rows_of(experiment) + measured_of(experiment)
    return sorted({*made, *map(here, PRESENT[experiment])})


def search_of(wildcards):
    return Search(wildcards.experiment, wildcards.family, PROFILE, SOURCE)


def searched_before(wildcards):
    before = search_before(search_of(wildcards), JOBS)
    return [here(before.file)] if before else []


def searched(wildcards):
    """What changes with the settings that all trials share, and with the values on trial."""
    search = search_of(wildcards)
    return f"{search.config_hash} {search.space}"


def trials_of(wildcards):
    """How many trials a search has: the points of its grid, or its experiment's budget."""
    search = search_of(wildcards)
    return search.space.count(search.run.settings.trials)


def of_search(number):
    """A resource of a search, from the settings of its experiment."""
    return lambda wildcards: number(search_of(wildcards).run.settings)


def minutes_of_search(wildcards):
    """The declared minutes of all its trainings, one after another."""
    settings = search_of(wildcards).run.settings
    return settings.minutes * settings.networks * trials_of(wildcards)


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


rule reproduce:
    input:
        INDEX,
        all_of(rows_of, EXPERIMENTS),
        all_of(measured_of, EXPERIMENTS),
    message:
        "all done"


rule site:
    input:
        f"{SITE}/gate.ok",
        ["_config.yml", "_toc.yml", *PAGES],
    output:
        INDEX,
    message:
        "building the site"
    shell:
        "{PYTHON} -m sdlib.pipeline build"


rule gate:
    input:
        [f"{SITE}/{path}" for path in CHAPTERS.values()],
    output:
        touch(f"{SITE}/gate.ok"),
    message:
        "reading the executed chapters for errors and litter"
    shell:
        "{PYTHON} -m sdlib.pipeline gate {SITE:q}/book"


rule chapter:
    input:
        notebook="book/{page}.ipynb",
        shown=lambda wildcards: all_of(shown_of, READS[wildcards.page.rsplit("/", 1)[-1]]),
    output:
        SITE + "/book/{page}.ipynb",
    params:
        scale=SCALE,
        library=LIBRARY,
    message:
        "executing {wildcards.page}"
    priority: 3  # those that read nothing take longest; the others are short, and come when they can
    shell:
        "{PYTHON} -m sdlib.pipeline execute {input.notebook:q} {output:q} {params.scale}"


for job in JOBS:

    rule:
        name:
            f"train_{job.name}"
        input:
            [here(job.search.file)] if job.search else [],
            [here(run.row_file) for run in lenders(job, JOBS)],
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
            mem_mb=job.settings.memory_mb,
            runtime=job.settings.minutes * len(job.runs),
            cpus_per_task=1 + job.settings.workers,
            gpu=int(job.settings.gpu),
        shell:
            "{PYTHON} -m sdlib.pipeline train {params.runs} {SCALE} && touch {output:q}"


for one in MEASUREMENTS:

    settings = EXPERIMENTS[one.experiment].settings(PROFILE, SOURCE)

    rule:
        name:
            f"measure_{one.experiment}_{one.measurement.name}"
        input:
            rows_of(one.experiment) if one.measurement.of_networks else [],
        output:
            here(one.done_file),
        params:
            id=one.id,
        message:
            f"measuring {one.id}"
        threads: 1
        priority: 2  # chapters wait for it
        resources:
            mem_mb=settings.memory_mb,
            runtime=settings.minutes,
            cpus_per_task=1 + settings.workers,
            gpu=int(settings.gpu and one.measurement.of_networks),
        shell:
            "{PYTHON} -m sdlib.pipeline measure {params.id} {SCALE}"


rule search:
    input:
        searched_before,
    output:
        f"{OUTPUTS}/{file_name(SOURCE)}/{PROFILE}/{{experiment}}/search/{{family}}/trials.jsonl",
    params:
        trials=trials_of,
        configuration=searched,
    message:
        "searching {wildcards.experiment}/{wildcards.family}"
    threads: 1
    priority: 1  # most of the training waits for it
    resources:
        mem_mb=of_search(lambda settings: settings.memory_mb),
        runtime=minutes_of_search,
        cpus_per_task=of_search(lambda settings: 1 + settings.workers),
        gpu=of_search(lambda settings: int(settings.gpu)),
    shell:
        "{PYTHON} -m sdlib.pipeline search {wildcards.experiment}/{wildcards.family} {SCALE}"
