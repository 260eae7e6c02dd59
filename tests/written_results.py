"""Results that are written rather than trained: rows, predictions and trials known in advance."""

import json

import numpy as np
from scipy.special import expit

from sdlib.experiments import Run, Search, config_hash, experiment_of, runs_of
from sdlib.experiments.measurements import SWEEP
from sdlib.metrics import summary
from sdlib.results.sweeps import levels_of, stamp_of, write_level

TARGETS = np.repeat([0, 1], 200).astype(np.int8)

# A network's logit: offset, distance between the classes, what cutouts add; noise has SD 1.
NETWORKS = {
    "weight_decay": (0.0, 3.0, -2.5),
    "weight_decay_tuned": (0.0, 3.0, -2.4),
    "weight_decay_test_tuned": (0.0, 3.0, -2.3),
    "sd_eq1": (0.0, 3.0, -2.5),
    "sd_eq1_tuned": (0.0, 3.0, -2.5),
    "sd_eq2": (1.0, 3.0, -2.5),  # the same features, the threshold moved
    "sd_eq2_tuned": (0.0, 3.0, -2.4),
    "sd_eq2_test_tuned": (0.2, 3.0, -1.0),  # less of the shortcut
    "control": (0.0, 3.0, 0.0),
}
PLAIN = (0.0, 3.0, 0.0)
SEARCHES = {"weight_decay": 6, "weight_decay_test": 6, "sd_eq1": 6, "sd_eq2": 20, "sd_eq2_test": 20}


def write_search(experiment, family, n, profile="laptop", source="phantom", seed=0):
    """Trials of a search with random scores, in the outputs folder."""
    search = Search(experiment, family, profile, source)
    rng = np.random.default_rng(seed)
    lines = []
    for trial in range(n):
        values = {name: 0.01 * (trial + 1) for name in search.space.names}
        scores = {s: {"accuracy": float(rng.uniform(0.6, 0.9))} for s in ("validation", "test")}
        line = {
            "family": family,
            "config_hash": search.config_hash,
            "trial": trial,
            "judged_on": search.space.judged_on,
            "values": values,
            "value": scores[search.space.judged_on]["accuracy"],
            "metrics": scores,
            "seconds": 1.0,
        }
        lines.append(json.dumps(line))
    search.folder.mkdir(parents=True, exist_ok=True)
    search.file.write_text("\n".join(lines) + "\n")


def logits_of(cohort, network, rng):
    """Logits of a pretended network on :data:`TARGETS`, prepared as the cohort says."""
    offset, distance, cut = network
    clean = offset + distance * (TARGETS - 0.5) + rng.normal(0, 1, len(TARGETS))
    marked = {
        "train": (TARGETS == 0) & (rng.random(len(TARGETS)) < 0.25),
        "test": TARGETS == 1,
        "all": np.ones(len(TARGETS), bool),
    }
    carries = marked.get(cohort.prepare.name, np.zeros(len(TARGETS), bool))
    return (clean + cut * carries).astype(np.float32)


def write_run(
    experiment, arm, seed, profile="laptop", source="phantom", network=(0.0, 3.0, -2.5), **changes
):
    """One run's row, predictions and targets in the outputs folder."""
    run = Run(experiment, arm, seed, profile, source)
    rng = np.random.default_rng([seed, len(arm)])
    offset, distance, cut = network
    network = (offset, distance, cut + rng.normal(0, 0.1))
    cohorts = run.definition.evaluation
    # The same tiles have the same noise in every cohort: only cutouts differ.
    logits = {
        name: logits_of(cohort, network, np.random.default_rng([seed, len(arm), 1]))
        for name, cohort in cohorts.items()
    }
    config = run.config()
    metrics = {name: summary(TARGETS, expit(f.astype(np.float64))) for name, f in logits.items()}
    if any(measurement.per_run for measurement in run.definition.measurements):
        share = 0.02 - 0.01 * network[2] + rng.normal(0, 0.002)
        metrics["cam"] = {"benign_share": share, "cancer_share": share / 2, "area_share": 0.02}
    row = {
        "experiment": experiment,
        "arm": arm,
        "seed": seed,
        "profile": profile,
        "source": source,
        "config": config,
        "config_hash": config_hash(config),
        "code_version": "0",
        "device": "cpu test",
        "threads": 1,
        "finished": "today",
        "seconds": 90.0,
        "metrics": metrics,
        "history": [{"train_loss": 0.5}, {"train_loss": 0.4}],
        **changes,
    }
    run.folder.mkdir(parents=True, exist_ok=True)
    run.row_file.write_text(json.dumps(row))
    kept = {n: f for n, f in logits.items() if not cohorts[n].metrics_only}
    np.savez(run.folder / "predictions.npz", **{f"{n}.logits": f for n, f in kept.items()})
    owners = {run.definition.cohort_of_targets(name) for name in cohorts}
    np.savez(run.folder / "targets.npz", **{f"{owner}.targets": TARGETS for owner in owners})
    return logits


def write_sweep(experiment, profile="laptop", source="phantom"):
    """Logits of every written run at every level: they shrink with the number of the level."""
    folder = SWEEP.folder(experiment, profile, source)
    measurement = experiment_of(experiment).sweep
    runs = [run for run in runs_of(experiment, profile, source) if run.row_file.exists()]
    stamps = {run.id: stamp_of(run) for run in runs}
    folder.mkdir(parents=True, exist_ok=True)
    for k, level in enumerate(levels_of(profile, measurement.shifts)):
        found = {}
        for run in runs:
            with np.load(run.folder / "predictions.npz") as stored:
                drift = 0.02 * k * (1 + 0.1 * run.seed)
                found[run.id] = (stored[f"{measurement.cohort}.logits"] - drift).astype(np.float16)
        write_level(folder / f"{level.name}.npz", stamps, found)


def write_experiment(name, profile="laptop", source="phantom", seeds=5):
    """Every search (borrowed ones, too) and every run of an experiment, and its sweep, if any."""
    definition = experiment_of(name)
    owner = definition.searched_in or name
    for space in experiment_of(owner).searches:
        n = min(space.count(20), SEARCHES.get(space.name, 3))
        write_search(owner, space.name, n, profile, source, seed=len(space.name))
    for arm in definition.arms:
        for seed in range(seeds):
            network = NETWORKS.get(arm.name, PLAIN)
            if arm.step:
                network = (0.2 * arm.step.benign, 3.0, -1.0 - 0.3 * abs(arm.step.cancer))
            write_run(name, arm.name, seed, profile, source, network)
    if definition.swept:
        write_sweep(name, profile, source)


def write_all(seeds=5):
    """The experiment ``cutout`` and its sensitivity map."""
    write_experiment("cutout", seeds=seeds)
    write_experiment("cutout_sensitivity", seeds=min(3, seeds))
