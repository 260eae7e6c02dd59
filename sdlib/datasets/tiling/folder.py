"""Cutting a folder of slides into one set of shards, slide by slide, on several cores."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import cv2

from sdlib.checks import check_number
from sdlib.datasets.shards import INDEX_FILE, write_index
from sdlib.datasets.tiling.manifest import MANIFEST, write_manifest
from sdlib.datasets.tiling.one_slide import check_slide, tile_slide
from sdlib.datasets.tiling.records import SLIDES_FOLDER, finished_records, remove_shards
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile, find_slides
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.slides import read_resolutions

__all__ = ["tile_slides"]

NAMED = 5  # slides that cannot be read are named up to this number

Outcome = tuple[SlideFile, dict[str, Any] | None, str]  # slide, its record or its problem


def tile_slides(
    slides: str | os.PathLike[str],
    out: str | os.PathLike[str],
    tiling: Tiling,
    workers: int | None = None,
    resolutions: str | os.PathLike[str] | None = None,
    damaged: Literal["refuse", "skip"] = "refuse",
    masks: str | os.PathLike[str] | None = None,
    groups: str | os.PathLike[str] | None = None,
    changed: Literal["refuse", "recut"] = "refuse",
    log: Callable[[str], object] = lambda line: None,
) -> str:
    """Cut slides into tiles, and write them as one set of shards with an index and a manifest.

    Every slide has shards of its own, and a record once they are finished: the same call after a
    kill passes over finished slides, and over finished shards of the others. Slides and masks are
    known by their sizes and times of modification: one that has been replaced is noticed.

    Parameters
    ----------
    slides : path
        A folder of slides, or one slide.
    out : path
        The folder of shards.
    tiling : Tiling
        How slides are cut.
    workers : int, optional
        Processes, each with one slide at a time; by default one per core.
    resolutions : path, optional
        A CSV file with the columns ``slide`` and ``mpp``, which comes before what slides say.
    damaged : {"refuse", "skip"}
        What to do with slides that cannot be read: raise an error that names them, or leave them
        out, in which case the manifest says why.
    masks, groups : path, optional
        As for :func:`~sdlib.datasets.tiling.slide_files.find_slides`.
    changed : {"refuse", "recut"}
        What to do with finished slides that have been replaced since, or whose masks have: raise an
        error that names them, or cut them again. (Other settings are refused in any case.)
    log : callable
        Called with a sentence for every slide.

    Returns
    -------
    str
        How many tiles of how many slides there are.

    Raises
    ------
    ConfigError
        If a value is out of its range, or the folder holds tiles that were cut in another way.
    DataError
        If slides cannot be read and are not to be skipped, have changed and are not to be cut
        again, or no tile is left. In the last case nothing of them remains in the folder.
    SdlibError
        If tiles cannot be written, or a process was killed.

    Examples
    --------
    >>> tile_slides("slides", "tiles", Tiling(mpp=0.5), workers=8)  # doctest: +SKIP
    '4,113 tiles of 2 slides, without labels, in tiles'
    """
    if damaged not in ("refuse", "skip"):
        raise ConfigError(f"expected damaged to be refuse or skip, got {damaged!r}")
    if changed not in ("refuse", "recut"):
        raise ConfigError(f"expected changed to be refuse or recut, got {changed!r}")
    if (masks is None) != (tiling.rule is None):
        raise ConfigError(
            "expected masks and the rule of labels together (--masks and --positive), got one of "
            "them"
        )
    workers = workers if workers is not None else os.cpu_count() or 1
    check_number("workers", workers, 1, whole=True)
    out = Path(out)
    table = read_resolutions(resolutions) if resolutions is not None else {}
    found = find_slides(slides, masks, groups)
    known = finished_records(found, out, tiling, table, changed)
    to_cut = [slide for slide in found if known[slide.name] is None]
    if len(to_cut) < len(found):
        log(f"{len(found) - len(to_cut)} of {len(found)} slides are finished")
    problems: dict[str, str] = {}
    with _processes(workers, len(to_cut)) as pool:
        # All are opened before one is cut: what is wrong with the last is not told after days.
        for slide, _, problem in _each(pool, _check, to_cut, (tiling, table)):
            if problem:
                problems[slide.name] = problem
        _refuse(problems, len(found), damaged)
        to_cut = [slide for slide in to_cut if slide.name not in problems]
        outcomes = _each(pool, _cut, to_cut, (out, tiling, table))
        for number, (slide, record, problem) in enumerate(outcomes, start=1):
            if record is None:
                problems[slide.name] = problem
                _refuse(problems, len(found), damaged)
                continue
            known[slide.name] = record
            log(f"{number} of {len(to_cut)}, {slide.shown}: {_count(record)}")
    for slide in found:
        if slide.name in problems:
            log(f"skipped: {problems[slide.name]}")
            remove_shards(slide, out)
    return _finish(out, found, known, problems, tiling)


def _finish(
    out: Path,
    found: list[SlideFile],
    known: Mapping[str, dict[str, Any] | None],
    problems: Mapping[str, str],
    tiling: Tiling,
) -> str:
    """Write the manifest and the index of all shards; say how many tiles there are."""
    records = [record for slide in found if (record := known[slide.name])]
    tiles, cancer = (sum(record[name] for record in records) for name in ("tiles", "cancer"))
    if not tiles:
        _remove_all(out, found)
        raise DataError(
            f"expected at least one tile, got none of {len(found)} slides: "
            f"{_why_none(records, problems, tiling)}"
        )
    write_manifest(out / MANIFEST, found, known, problems, tiling)
    write_index(out, [record["name"] for record in records if record["tiles"]])
    skipped = f" ({len(problems)} skipped)" if problems else ""
    labels = f"{cancer:,} of cancer" if tiling.rule is not None else "without labels"
    return f"{tiles:,} tiles of {len(records)} slides{skipped}, {labels}, in {out}"


def _remove_all(out: Path, slides: list[SlideFile]) -> None:
    """Remove what was written of slides without any tile: the next call may cut otherwise."""
    for slide in slides:
        remove_shards(slide, out)
    if not any(out.glob("*-??????.tar")):
        # Those of an earlier call.
        for name in (MANIFEST, INDEX_FILE):
            (out / name).unlink(missing_ok=True)
        for columns in out.glob("index-*"):
            shutil.rmtree(columns, ignore_errors=True)
    with suppress(OSError):  # it may hold records of other slides, or not be there
        (out / SLIDES_FOLDER).rmdir()


def _why_none(records: list[dict[str, Any]], problems: Mapping[str, str], tiling: Tiling) -> str:
    """Where all tiles are gone, and what to do."""
    background, unjudged = (
        sum(record[name] for record in records) for name in ("background", "unjudged")
    )
    found = []
    if background:
        found.append(
            f"{background} left out as background (allow more of it with --max-background, or "
            "choose a smaller --size)"
        )
    if unjudged:
        found.append(f"{unjudged} in which the masks judge nothing (see --ignored)")
    if problems:
        first = next(iter(problems.values()))
        found.append(f"{len(problems)} slides cannot be cut, the first one because {first}")
    if records and not found:
        found.append(
            f"no slide has room for a tile of {tiling.size} px (choose a smaller --size, or "
            "--border pad)"
        )
    return "; ".join(found)


def _count(record: dict[str, Any]) -> str:
    """The tiles of a slide, in words."""
    return f"{record['tiles']} tiles, {record['background']} left out as background"


def _refuse(problems: Mapping[str, str], n: int, damaged: str) -> None:
    """Raise an error that names slides which cannot be read, unless they are to be skipped."""
    if not problems or damaged == "skip":
        return
    sentences = list(problems.values())
    if len(sentences) == 1:
        raise DataError(f"{sentences[0]}; or leave this slide out with --damaged skip")
    more = f"; and {len(sentences) - NAMED} more" if len(sentences) > NAMED else ""
    raise DataError(
        f"{len(sentences)} of {n} slides cannot be cut: {'; '.join(sentences[:NAMED])}{more}; or "
        "leave them out with --damaged skip"
    )


# -- Processes


def _check(slide: SlideFile, tiling: Tiling, resolutions: Mapping[str, float]) -> Outcome:
    """Look at a slide; the outcome has its problem, if it has one."""
    try:
        check_slide(slide, tiling, resolutions)
    except (DataError, ConfigError) as error:
        return slide, None, str(error)
    return slide, None, ""


def _cut(slide: SlideFile, out: Path, tiling: Tiling, resolutions: Mapping[str, float]) -> Outcome:
    """Cut a slide; the outcome has its record, or its problem."""
    try:
        return slide, tile_slide(slide, out, tiling, resolutions), ""
    except (DataError, ConfigError) as error:
        return slide, None, str(error)


@contextmanager
def _processes(workers: int, slides: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes to cut slides; None where this process does it."""
    if min(workers, slides) < 2:
        yield None
        return
    # Not forked: readers of slides hold threads and open files.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, slides), context, _begin_worker)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise SdlibError(
            "a process that cuts slides was killed, perhaps for lack of memory: run the command "
            "again, which goes on where it was, with fewer workers"
        ) from error
    finally:
        # What is not begun is given up; slides that are being cut are finished.
        pool.shutdown(cancel_futures=True)


def _each(
    pool: ProcessPoolExecutor | None,
    task: Callable[..., Outcome],
    slides: list[SlideFile],
    rest: tuple[Any, ...],
) -> Iterator[Outcome]:
    """Call a task for every slide; outcomes come as they are ready."""
    if pool is None:
        yield from (task(slide, *rest) for slide in slides)
        return
    futures = [pool.submit(task, slide, *rest) for slide in slides]
    yield from (future.result() for future in as_completed(futures))


def _begin_worker() -> None:
    """Keep a worker to one core, and end it when the command is killed."""
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
