"""Where a server may send a download: every step is looked at before it is taken.

Data sets move, and large files come from other hosts than the pages that offer them, so redirects
are followed. But never

- to anything but http and https, such as a file of this machine;
- from https to http, where anybody on the way could put another file in its place;
- from plain http to another server, unless the file has a published hash: nobody vouches for
  either of the two servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from sdlib.errors import DataError

__all__ = ["check_redirect", "open_url"]

MOST_REDIRECTS = 10
SCHEMES = ("http", "https")


@contextmanager
def open_url(
    url: str, headers: Mapping[str, str], timeout: float, name: str, checked: bool
) -> Iterator[Any]:
    """Ask a server for a file, and follow it to where the file is.

    Parameters
    ----------
    url : str
        Its address.
    headers : mapping of str to str
        Of the request, and of those that follow.
    timeout : float
        Seconds to wait for a byte from the server.
    name : str
        The file's name in errors.
    checked : bool
        Whether the file will be compared with a published hash.

    Yields
    ------
    requests.Response
        The last answer; its content has not been read yet.

    Raises
    ------
    DataError
        A redirect to a place that is not to be trusted.
    requests.RequestException
        The server cannot be reached, or sends you round in a circle.
    """
    # Loaded here, as other commands do not need it.
    import requests

    with requests.Session() as session:
        for _ in range(MOST_REDIRECTS):
            response = session.get(
                url, headers=dict(headers), stream=True, timeout=timeout, allow_redirects=False
            )
            with response:
                target = session.get_redirect_target(response)
                if target is None:
                    yield response
                    return
            target = urljoin(url, target)
            check_redirect(url, target, name, checked)
            url = target
    raise requests.TooManyRedirects


def check_redirect(url: str, target: str, name: str, checked: bool) -> None:
    """Refuse a redirect to a place that is not to be trusted.

    Parameters
    ----------
    url, target : str
        The address that was asked, and the one that it sends to.
    name : str
        The file's name in errors.
    checked : bool
        Whether the file will be compared with a published hash.

    Raises
    ------
    DataError
        It is not to be trusted.

    Examples
    --------
    >>> check_redirect("https://a.org/x", "https://files.b.org/x", "x", checked=False)
    >>> try:
    ...     check_redirect("https://a.org/x", "http://a.org/x", "x", checked=True)
    ... except DataError as error:
    ...     print(str(error).partition(":")[0])
    could not download x
    """
    start, end = urlsplit(url), urlsplit(target)
    reason = ""
    if end.scheme not in SCHEMES or not end.hostname:
        reason = "which is not an address of http or https"
    elif start.scheme == "https" and end.scheme == "http":
        reason = "where anybody on the way could exchange the file"
    elif start.scheme == "http" and start.netloc != end.netloc and not checked:
        reason = "another server, and without a published hash nobody vouches for what it sends"
    if reason:
        raise DataError(
            f"could not download {name}: {url} sends you to {target}, {reason}; open the address "
            f"in a browser, and put the file there by other means if it is what you want"
        )
