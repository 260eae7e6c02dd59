"""What is recorded of each slide: from which files, how and into which shards it was cut.

The record is written twice: before the first shard, and with the numbers of tiles after the last.
So shards are never without a record that says what they are made of, wherever a command was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sdlib.datasets.shards.notes import finished_note, note_file
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile
from sdlib.errors import ConfigError, DataError
from sdlib.files import cannot_write, check_entries, if_whole, read_json, write_json

__all__ = [
    "SLIDES_FOLDER",
    "begin_record",
    "finish_record",
    "finished_records",
    "remove_shards",
]

SLIDES_FOLDER = "slides"  # in the folder of shards: a record of each slide
BEGUN, FINISHED = "begun", "finished"
ENTRIES = {
    "slide": str,
    "files": dict,
    "terms": dict,
    "state": str,
    "tiles": int,
    "shards": list,
}
NAMED = 5  # files that have changed are named up to this number


def finished_records(
    slides: Sequence[SlideFile],
    out: Path,
    tiling: Tiling,
    resolutions: Mapping[str, float],
    changed: Literal["refuse", "recut"] = "refuse",
) -> dict[str, dict[str, Any] | None]:
    """What is recorded of slides whose shards are all finished, by the slides' names.

    A slide or a mask has changed if its size or its time of modification has.

    Parameters
    ----------
    slides : sequence of SlideFile
        The slides.
    out : pathlib.Path
        The folder of shards.
    tiling : Tiling
        How they are to be cut.
    resolutions : mapping of str to float
        The user's own microns per pixel by slide.
    changed : {"refuse", "recut"}
        What to do with slides that have changed since they were cut, or whose masks have.

    Returns
    -------
    dict of str to dict or None
        None for slides that are to be cut.

    Raises
    ------
    ConfigError
        If tiles were cut in another way, or for another group.
    DataError
        If slides or masks have changed and are not to be cut again.
    """
    found: dict[str, dict[str, Any] | None] = {}
    others: list[str] = []
    for slide in slides:
        found[slide.name] = None
        record = _read(slide, out)
        if record is None or record["state"] != FINISHED:
            continue
        source = _source(slide, tiling, resolutions)
        _allow_unscanned(record, source)
        if record["tiles"]:  # what holds no tile is no loss, however it was cut
            _check_terms(record, source, out)
            others += _changes(record, source)
        whole = all(finished_note(out / name) is not None for name in record["shards"])
        if whole and _same(record, source):
            found[slide.name] = record
    if others and changed == "refuse":
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise DataError(
            f"{', '.join(others[:NAMED])}{more} changed after tiles were cut to {out}: cut them "
            "again with --changed recut, or choose another folder"
        )
    return found


def begin_record(
    slide: SlideFile, out: Path, tiling: Tiling, resolutions: Mapping[str, float]
) -> dict[str, Any]:
    """Record that a slide is being cut; remove shards that were made of anything else.

    Parameters
    ----------
    slide, out, tiling, resolutions
        As for :func:`finished_records`.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    SdlibError
        If it cannot be written.
    """
    source = _source(slide, tiling, resolutions)
    known = _read(slide, out)
    if known is None or not _same(known, source):
        remove_shards(slide, out)
    record = {**source, "state": BEGUN, "tiles": 0, "shards": []}
    write_json(_record_file(slide, out), record)
    return record


def finish_record(
    slide: SlideFile, out: Path, begun: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Record that all shards of a slide are there.

    Parameters
    ----------
    slide : SlideFile
        The slide.
    out : pathlib.Path
        The folder of shards.
    begun : mapping
        What :func:`begin_record` returned.
    known : mapping
        What is known now, the number of ``tiles`` among it.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    SdlibError
        If it cannot be written.
    """
    shards = sorted(file.name for file in _shards_of(slide, out))
    record = {**begun, **known, "state": FINISHED, "shards": shards}
    write_json(_record_file(slide, out), record)
    return record


def remove_shards(slide: SlideFile, out: Path) -> None:
    """Remove all that has been written of a slide.

    Parameters
    ----------
    slide : SlideFile
        The slide.
    out : pathlib.Path
        The folder of shards.

    Raises
    ------
    SdlibError
        If a file cannot be removed.
    """
    # The record is first: if this is interrupted, shards without one are not used.
    files = [_record_file(slide, out)]
    for shard in _shards_of(slide, out):
        files += [note_file(shard), shard]
    for file in files:
        try:
            if file.exists():
                file.unlink()
        except OSError as error:
            raise cannot_write(file, error) from error


def _record_file(slide: SlideFile, out: Path) -> Path:
    return out / SLIDES_FOLDER / f"{slide.name}.json"


def _shards_of(slide: SlideFile, out: Path) -> list[Path]:
    """The shards of a slide that are in a folder."""
    return list(out.glob(f"{slide.name}-??????.tar"))


def _read(slide: SlideFile, out: Path) -> dict[str, Any] | None:
    """The record of a slide; None if there is none that is whole."""
    file = _record_file(slide, out)
    return if_whole(read_json, file, lambda value: check_entries(value, ENTRIES))


def _source(slide: SlideFile, tiling: Tiling, resolutions: Mapping[str, float]) -> dict[str, Any]:
    """What decides which tiles there are and what they say."""
    given = resolutions.get(slide.path.name, resolutions.get(slide.path.stem))
    return {
        "slide": slide.shown,
        "files": {
            "slide": _states(slide.path),
            "mask": _states(slide.mask) if slide.mask is not None else {},
        },
        "terms": {**tiling.record, "group": slide.group, "given mpp": given},
    }


def _states(path: Path) -> dict[str, list[int]]:
    """Size in bytes, and time of modification in nanoseconds, of all files of a slide, by name."""
    paths = [path]
    if path.suffix.lower() == ".mrxs":  # its pixels are in a folder of the same name
        paths += sorted(path.with_suffix("").rglob("*"))
    found = {}
    for each in paths:
        if each.is_file():
            state = each.stat()
            name = each.relative_to(path.parent).as_posix()
            found[name] = [state.st_size, state.st_mtime_ns]
    return found


def _same(record: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    return all(record[name] == value for name, value in source.items())


def _allow_unscanned(record: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Where a slide was read without leaving anything out, what is allowed makes no difference."""
    known, terms = record["terms"], source["terms"]
    if record.get("unscanned") in ("refuse", terms["unscanned"]):
        terms["unscanned"] = known.get("unscanned")


def _check_terms(record: Mapping[str, Any], source: Mapping[str, Any], out: Path) -> None:
    """Raise a ConfigError if a slide was cut in another way."""
    if record["terms"] != source["terms"]:
        raise ConfigError(
            f"{out} holds tiles of {record['slide']} that were cut with "
            f"{_words(record['terms'])}; expected {_words(source['terms'])}: choose another "
            "folder, or remove this one"
        )


def _changes(record: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    """Which files of a slide have changed, in words."""
    slide, files = source["slide"], source["files"]
    found = []
    if record["slide"] != slide or record["files"].get("slide") != files["slide"]:
        found.append(f"the slide {slide}")
    if record["files"].get("mask") != files["mask"]:
        found.append(f"the mask of {slide}")
    return found


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
