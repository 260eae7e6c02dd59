"""What your own folder is called as a source.

The name is ``folder:`` and the absolute path, and behind it the labels that are positive where the
manifest writes words: ``folder:/data/biopsies?positive=tumour``. It says everything, so that no
list of folders is kept, and every command takes it as it takes ``phantom``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from sdlib.errors import ConfigError

__all__ = [
    "FOLDER",
    "file_name",
    "folder_name",
    "is_folder",
    "name_parts",
    "short_name",
    "whole_name",
]

FOLDER = "folder:"
POSITIVE = "positive="
#: What separates the parts of a name is written otherwise within a part.
ESCAPES = {"%": "%25", "?": "%3F", "&": "%26"}
LONGEST = 40  # characters of a folder's name in the names of files
DIGITS = 8  # of the hash that tells two folders of one name apart


def is_folder(source: str) -> bool:
    """Whether the name of a source is that of a folder.

    >>> is_folder("folder:/data/biopsies"), is_folder("phantom")
    (True, False)
    """
    return source.startswith(FOLDER)


def folder_name(folder: str | os.PathLike[str], positive: Sequence[str] = ()) -> str:
    """The name of a folder as a source.

    Parameters
    ----------
    folder : str or os.PathLike
        Relative to the working folder, or absolute; links are followed, so that a folder has one
        name.
    positive : sequence of str
        The labels that are positive, as for :class:`~sdlib.datasets.manifest.ManifestDataset`;
        none where the manifest writes 0 and 1.

    Raises
    ------
    ConfigError
        The path is no valid text.

    Examples
    --------
    >>> folder_name("/data/100% sure?", ["tumour"])
    'folder:/data/100%25 sure%3F?positive=tumour'
    """
    try:
        path = os.path.realpath(os.fspath(folder))
        path.encode()
    except ValueError as error:  # a zero byte, or bytes that are no text
        raise ConfigError(
            f"expected the path of a folder as valid text, got {folder!a}: rename the "
            "folder, or make a link to it"
        ) from error
    named = [f"{POSITIVE}{_escaped(label)}" for label in sorted(set(positive))]
    query = f"?{'&'.join(named)}" if named else ""
    return f"{FOLDER}{_escaped(path)}{query}"


def name_parts(source: str) -> tuple[Path, tuple[str, ...]]:
    """The folder and the positive labels of a name that :func:`folder_name` has written.

    Raises
    ------
    ConfigError
        The path is not absolute, or something else than positive labels follows.

    Examples
    --------
    >>> name_parts("folder:/data/100%25 sure%3F?positive=tumour")
    (PosixPath('/data/100% sure?'), ('tumour',))
    """
    path, _, query = source.removeprefix(FOLDER).partition("?")
    labels = query.split("&") if query else []
    if not os.path.isabs(path) or not all(label.startswith(POSITIVE) for label in labels):
        raise ConfigError(
            f"expected {FOLDER} and an absolute path, and behind it ?{POSITIVE}LABEL or nothing, "
            f"got {source!r}"
        )
    return Path(_plain(path)), tuple(_plain(label.removeprefix(POSITIVE)) for label in labels)


def whole_name(source: str) -> str:
    """The name of a source as a user may write it: of a folder with the absolute path.

    >>> whole_name("folder:/data/../data/mine?positive=tumour"), whole_name("phantom")
    ('folder:/data/mine?positive=tumour', 'phantom')
    """
    if not is_folder(source):
        return source
    path, separator, labels = source.removeprefix(FOLDER).partition("?")
    return f"{folder_name(_plain(path))}{separator}{labels}"


def short_name(source: str) -> str:
    """What headings call a source: of a folder the last part of its path.

    >>> short_name("folder:/data/biopsies?positive=tumour"), short_name("phantom")
    ('biopsies', 'phantom')
    """
    if not is_folder(source):
        return source
    folder, _ = name_parts(source)
    return folder.name or str(folder)


def file_name(source: str) -> str:
    """What folders and files of results call a source: safe on any file system.

    A folder's begins with the letters of its name and ends with a hash of all of it.

    >>> file_name("phantom"), file_name("folder:/data/my slides")
    ('phantom', 'my-slides-d5a8a251')
    """
    if not is_folder(source):
        return source
    letters = re.sub(r"[^A-Za-z0-9_]+", "-", short_name(source))[:LONGEST].strip("-") or "folder"
    return f"{letters}-{hashlib.sha256(source.encode()).hexdigest()[:DIGITS]}"


def _escaped(text: str) -> str:
    for character, code in ESCAPES.items():
        text = text.replace(character, code)
    return text


def _plain(text: str) -> str:
    for character, code in reversed(ESCAPES.items()):
        text = text.replace(code, character)
    return text
