"""Evidence, tables and the tuned rival, on rows that are written here and so are known."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn import metrics as sk

from sdlib import analysis, claims, evidence, experiments, results, rivals, tuning
from sdlib.errors import ConfigError
from sdlib.evidence import Evidence
from sdlib.metrics import Interval, expected_calibration_error, mean_interval, summary

PLACE = ("laptop", "phantom")
TARGETS = np.repeat([0, 1], 200).astype(np.int8)

# A network's logit: offset, distance between the classes, what cutouts add; noise has SD 1.
NETWORKS = {
    "weight_decay": (0.0, 3.0, -2.5),
    "weight_decay_tuned": (0.0, 3.0, -2.4),
    "sd_eq1": (0.0, 3.0, -2.5),
    "sd_eq1_tuned": (0.0, 3.0, -2.5),
    "sd_eq2": (1.0, 3.0, -2.5),  # the same features, the threshold moved
    "sd_eq2_tuned": (0.0, 3.0, -2.4),
    "sd_eq2_test_tuned": (0.2, 3.0, -1.0),  # less of the shortcut
    "control": (0.0, 3.0, 0.0),
}


def write_search(experiment, family, n, profile="laptop", source="phantom", seed=0):
    """Trials of a search with random scores, in the outputs folder."""
    search = experiments.Search(experiment, family, profile, source)
    rng = np.random.default_rng(seed)
    judged_on = "test" if family.endswith("_test") else "validation"
    names = {"weight_decay": ["weight_decay"], "sd_eq1": ["lam"]}
    lines = []
    for trial in range(n):
        values = {name: float(10 ** rng.uniform(-4, -1)) for name in names.get(family, [])}
        values = values or {k: 0.01 * (trial + 1) for k in ("lam_neg", "lam_pos")} | {
            k: float(rng.uniform(-1, 3)) for k in ("gamma_neg", "gamma_pos")
        }
        scores = {s: {"accuracy": float(rng.uniform(0.6, 0.9))} for s in ("validation", "test")}
        line = {"family": family, "trial": trial, "judged_on": judged_on, "values": values}
        line |= {"value": scores[judged_on]["accuracy"], "metrics": scores, "seconds": 1.0}
        lines.append(json.dumps(line))
    search.folder.mkdir(parents=True, exist_ok=True)
    search.file.write_text("\n".join(lines) + "\n")


def write_run(experiment, arm, seed, profile="laptop", source="phantom", network=(0.0, 3.0, -2.5)):
    """One run's row, predictions and targets in the outputs folder; returns its logits by set."""
    run = experiments.Run(experiment, arm, seed, profile, source)
    rng = np.random.default_rng([seed, len(arm)])
    offset, distance, cut = network
    clean = offset + distance * (TARGETS - 0.5) + rng.normal(0, 1, len(TARGETS))
    cut = cut + rng.normal(0, 0.1)
    marked = np.where(TARGETS == 0, rng.random(len(TARGETS)) < 0.25, False)
    logits = {
        "validation": clean + cut * marked,
        "test": clean + cut * (TARGETS == 1),
        "clean": clean,
        "all": clean + cut,
    }
    logits = {name: value.astype(np.float32) for name, value in logits.items()}
    config = experiments.config(run)
    metrics = {name: summary(TARGETS, expit(f.astype(np.float64))) for name, f in logits.items()}
    share = 0.02 - 0.01 * cut + rng.normal(0, 0.002)
    metrics["cam"] = {"benign_share": share, "cancer_share": share / 2, "area_share": 0.02}
    row = {"experiment": experiment, "arm": arm, "seed": seed, "profile": profile}
    row |= {"source": source, "config": config, "config_hash": experiments.config_hash(config)}
    row |= {"code_version": "0", "device": "cpu test", "seconds": 90.0, "metrics": metrics}
    run.folder.mkdir(parents=True, exist_ok=True)
    run.row_file.write_text(json.dumps(row))
    np.savez(run.folder / "predictions.npz", **{f"{n}.logits": f for n, f in logits.items()})
    parts = {f"{part}.targets": TARGETS for part in ("validation", "test")}
    np.savez(run.folder / "targets.npz", **parts)
    return logits


def write_all(seeds=5, profile="laptop", source="phantom"):
    """Every search, every arm, and the sensitivity map."""
    for family, n in (("weight_decay", 6), ("sd_eq1", 6), ("sd_eq2", 20), ("sd_eq2_test", 20)):
        write_search("cutout", family, n, profile, source, seed=len(family))
    for arm, network in NETWORKS.items():
        for seed in range(seeds):
            write_run("cutout", arm, seed, profile, source, network)
    for arm in experiments.EXPERIMENTS["cutout_sensitivity"].arms:
        neg, pos = map(int, arm.name.split("_")[1:])
        for seed in range(min(3, seeds)):
            network = (0.2 * neg, 3.0, -1.0 - 0.3 * abs(pos))
            write_run("cutout_sensitivity", arm.name, seed, profile, source, network)
