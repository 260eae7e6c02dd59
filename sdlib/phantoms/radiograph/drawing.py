"""From a seed to the factors of films: patients, their disease, and their hospital's signature."""

from __future__ import annotations

import numpy as np

from sdlib.errors import ConfigError
from sdlib.phantoms.chance import bits, normals, uniforms
from sdlib.phantoms.radiograph.film import Film
from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS
from sdlib.phantoms.radiograph.signature import find_hospital, signature_columns

__all__ = ["draw_films"]

MOST_FILMS = 3  # of one patient


def draw_films(
    n: int, seed: int, hospital: str = "a", prevalence: float | None = None
) -> list[Film]:
    """Draw the factors of ``n`` films of one hospital.

    A patient has one to three films, one after the other, all of one class. Film i does not
    depend on ``n``. Another seed draws other patients.

    Parameters
    ----------
    n : int
        Number of films, at least 1; the last patient may get fewer films than drawn.
    seed : int
        At least 0.
    hospital : str
        A key of ``HOSPITALS``.
    prevalence : float, optional
        Share of patients with COVID-19, 0 to 1, by default the hospital's. Patients who have the
        same class under two prevalences have the same films.

    Returns
    -------
    list of Film
        ``n`` films.

    Raises
    ------
    ConfigError
        An unknown hospital, ``n`` below 1, a negative seed, a prevalence outside 0 to 1.

    Examples
    --------
    >>> films = draw_films(100, seed=0)
    >>> sum(film.target for film in films), len({film.patient for film in films})
    (46, 54)
    """
    where = find_hospital(hospital)
    if n < 1 or seed < 0:
        raise ConfigError(f"expected n of at least 1 and seed of at least 0, got {n} and {seed}")
    share = where.prevalence if prevalence is None else prevalence
    if not 0 <= share <= 1:
        raise ConfigError(f"expected a prevalence from 0 to 1, got {share}")
    # Each patient has at least one film, so n patients are enough.
    patient = np.arange(n)
    count = 1 + (uniforms(f"{hospital} films", seed, patient) * MOST_FILMS).astype(np.int64)
    patients = np.repeat(patient, count)[:n]
    targets = (uniforms(f"{hospital} target", seed, patient) < share).astype(np.int64)[patients]
    patient_seeds = (bits(f"{hospital} patient", seed, patient) >> np.uint64(1))[patients]
    seeds = bits(f"{hospital} film", seed, np.arange(n)) >> np.uint64(1)  # they fit into int64
    columns = {}
    for name, factor in PATIENT_FACTORS.items():
        of_patient = np.sqrt(factor.patient_share) * normals(f"patient {name}", patient_seeds)
        of_film = np.sqrt(1 - factor.patient_share) * normals(f"film {name}", seeds)
        columns[name] = factor.values(targets, of_patient + of_film)
    columns |= signature_columns(where, seeds, np.array(where.ap)[targets])
    columns["target"], columns["seed"] = targets, seeds
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        Film(
            patient=f"{hospital}{seed}-{number:05d}",
            hospital=hospital,
            **dict(zip(columns, row, strict=True)),
        )
        for number, row in zip(patients.tolist(), rows, strict=True)
    ]
