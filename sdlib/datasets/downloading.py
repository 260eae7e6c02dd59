"""Downloading one file over HTTP: it is continued after a cut, never longer than it should be."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdlib.datasets.redirects import open_url
from sdlib.errors import DataError, SdlibError
from sdlib.files import cannot_write

__all__ = ["download"]

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30  # without a byte from the server
#: The most that is read where neither the registry nor the server tells a file's size.
MOST_BYTES = 1 << 30
OK, PARTIAL, RANGE_NOT_SATISFIABLE = 200, 206, 416
AGAIN = "try again, which continues where it stopped"
LATER = "the server has a fault or is overloaded: try again later, which continues where it stopped"
ADVICE = {
    401: "the server wants you to log in",
    403: "the server does not let you have it",
    404: "the server has no such file: its address may have changed, look for a newer version",
    407: "your proxy wants you to log in: set HTTPS_PROXY with name and password",
    410: "the server has removed the file: look for a newer version",
    429: "the server has had too many requests from you: wait, then try again",
    451: "the server may not send it for legal reasons",
    500: LATER,
    502: LATER,
    503: LATER,
    504: LATER,
}


def download(
    url: str,
    part: Path,
    name: str,
    size: int | None = None,
    most: int | None = None,
    checked: bool = True,
) -> None:
    """Append the rest of a file to what there is of it.

    Parameters
    ----------
    url : str
        Its address, of http or https.
    part : pathlib.Path
        Where the bytes go. What it holds already is kept, as far as the server can continue it.
    name : str
        The file's name in errors.
    size : int, optional
        The file's size in bytes, where it is known: no more is read.
    most : int, optional
        The most bytes that the file may have, where its size is not known.
    checked : bool
        Whether the file will be compared with a published hash: if not, it is taken from no
        server that nobody vouches for (see :mod:`sdlib.datasets.redirects`).

    Raises
    ------
    DataError
        If the server cannot be reached, refuses, breaks off, sends you to a place that is not to
        be trusted, or sends more bytes than the file has. What was received stays in ``part``,
        unless it cannot be continued.
    SdlibError
        If the file cannot be written, or is too large for the disk.

    Examples
    --------
    >>> url = "https://zenodo.org/records/2546921/files/x.csv"
    >>> download(url, Path("x.csv.part"), "x.csv")  # doctest: +SKIP
    """
    # Loaded here, as other commands do not need it.
    import requests

    try:
        _request(url, part, name, size, most, checked)
    except requests.RequestException as error:
        _remove_empty(part)
        raise DataError(_refusal(error, name, url, part)) from error
    except OSError as error:
        _remove_empty(part)
        raise cannot_write(part, error) from error


def _request(
    url: str, part: Path, name: str, size: int | None, most: int | None, checked: bool
) -> None:
    """Ask for the rest of the file, and append it."""
    start = _length(part)
    if size is not None and start > size:
        part.unlink()  # of another file
        start = 0
    if start == size:
        return
    # Without compression on the way, bytes in the part are bytes of the file.
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
    with open_url(url, headers, TIMEOUT_S, name, checked) as response:
        # If nothing is left to send, the part is whole; its hash is checked next.
        if response.status_code == RANGE_NOT_SATISFIABLE and start:
            return
        _check_status(response, name, url, part)
        packed = response.headers.get("Content-Encoding", "identity") != "identity"
        if response.status_code == PARTIAL:
            _check_range(response, start, name, part)
        else:
            start = 0  # the server sends the whole file, not the rest of it
        if not (packed and start):
            _receive(response, part, name, start, size, most, packed)
            return
    # The rest of a compressed answer is not the rest of the file: begin anew.
    part.unlink()
    _request(url, part, name, size, most, checked)


def _check_status(response: Any, name: str, url: str, part: Path) -> None:
    """Check that the server sends a file."""
    status = response.status_code
    if status in (OK, PARTIAL):
        return
    advice = ADVICE.get(status, "the server does not send it")
    wait = response.headers.get("Retry-After", "")
    if wait.isdigit():
        advice += f" (it asks you to wait {wait} seconds)"
    raise DataError(
        f"could not download {name} from {url}, which answers {status} {response.reason}: "
        f"{advice}; or put the file into {part.parent} by other means"
    )


def _check_range(response: Any, start: int, name: str, part: Path) -> None:
    """Check that the server sends the requested part of the file."""
    told = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if told and int(told.group(1)) != start:
        part.unlink(missing_ok=True)
        raise DataError(
            f"expected {name} from byte {start} on, got it from byte {told.group(1)}: the part "
            f"that was there was deleted, try again"
        )


def _receive(
    response: Any,
    part: Path,
    name: str,
    start: int,
    size: int | None,
    most: int | None,
    packed: bool,
) -> None:
    """Append an answer to the part, after its first ``start`` bytes."""
    from tqdm import tqdm

    declared = None
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and not packed:
        declared = start + int(length)
    limit = size or declared or most or MOST_BYTES
    if declared is not None:
        _check_size(declared, size, most, name, response.url)
        _check_disk(declared - start, name, part)
    done = start
    try:
        with (
            part.open("ab") as stream,
            tqdm(
                total=size or declared, initial=start, unit="B", unit_scale=True, disable=_quiet()
            ) as bar,
        ):
            stream.truncate(start)
            for chunk in _chunks(response, packed):
                done += len(chunk)
                if done > limit:
                    break
                stream.write(chunk)
                bar.update(len(chunk))
    except BaseException:
        if packed:
            part.unlink()  # it cannot be continued
        raise
    if done > limit:
        part.unlink()
        raise DataError(
            f"expected at most {limit} bytes of {name}, got more from {response.url}: what came "
            f"was deleted, because it cannot be the file"
        )
    if size is not None and done < size:
        if packed:
            part.unlink()
        raise DataError(f"expected {size} bytes of {name}, got {done}: {AGAIN}")


def _chunks(response: Any, packed: bool) -> Iterator[bytes]:
    """Yield as many bytes as have come, again and again: of a connection that is cut, all."""
    import requests

    while True:
        try:
            chunk = response.raw.read1(CHUNK_BYTES, decode_content=packed)
        except Exception as error:
            # Reading has errors of other libraries, which requests translates in its own loop;
            # that loop waits for a full chunk and loses what there is of it.
            if "Timeout" in type(error).__name__:
                raise requests.ReadTimeout(error) from error
            raise requests.exceptions.ChunkedEncodingError(error) from error
        if not chunk:
            return
        yield chunk


def _check_size(declared: int, size: int | None, most: int | None, name: str, url: str) -> None:
    """Check that the server speaks of a file of the size that is known."""
    expected = f"{size}" if size is not None else f"at most {most}"
    if (size is not None and declared != size) or (most is not None and declared > most):
        raise DataError(
            f"expected {expected} bytes of {name}, got the offer of {declared} from {url}, which "
            f"is another file, such as the page of a login: open the address in a browser"
        )


def _check_disk(needed: int, name: str, part: Path) -> None:
    """Check that the disk has room, before hours of downloading."""
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise SdlibError(
            f"{name} needs {needed / 2**30:.1f} GiB in {part.parent}, which has "
            f"{free / 2**30:.1f} GiB left: free some space, or choose another folder"
        )


def _refusal(error: Exception, name: str, url: str, part: Path) -> str:
    """Say why a server could not be reached, or why it broke off."""
    import requests

    kind = type(error).__name__
    start = f"could not download {name} ({kind}): "
    end = f", or put the file from {url} into {part.parent} by other means"
    if isinstance(error, requests.exceptions.SSLError):
        trusted = "set REQUESTS_CA_BUNDLE to the file of certificates that your institution uses"
        return f"{start}the server's certificate is not trusted here: {trusted}{end}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{start}your proxy refuses: check HTTPS_PROXY{end}"
    # A wrong address is an error of value, too.
    if isinstance(error, ValueError):
        return f"{start}its address {url} is not one of http or https: correct it in the registry"
    if isinstance(error, requests.TooManyRedirects):
        return f"{start}the server sends you round in a circle: try again later{end}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"{start}the connection was cut: {AGAIN}{end}"
    if isinstance(error, requests.ReadTimeout):
        return f"{start}the server has been silent for {TIMEOUT_S} seconds: {AGAIN}{end}"
    return f"{start}connect to the internet and {AGAIN}{end}"


def _length(path: Path) -> int:
    """The size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _remove_empty(path: Path) -> None:
    """Remove a file without content, which is nothing to continue from."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def _quiet() -> bool:
    """Whether nobody watches a progress bar."""
    return not sys.stderr.isatty()
