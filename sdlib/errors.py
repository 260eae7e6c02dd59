"""The errors that this library raises on purpose, each with one sentence that says what to do.

The command line prints them without a traceback and exits with status 2. Any other exception is a
mistake in the library.
"""

import sys
from collections.abc import Callable

__all__ = ["ConfigError", "DataError", "SdlibError", "run_command_line"]


class SdlibError(Exception):
    """Base of every error that the library raises on purpose.

    Examples
    --------
    >>> from sdlib.losses import resting_logits
    >>> try:
    ...     resting_logits(-1)
    ... except SdlibError as error:
    ...     print(error)
    expected the negative class's lam to be one finite number of at least 0, got -1
    """


class DataError(SdlibError):
    """Images, manifests or stored results are absent, broken or contradictory."""


class ConfigError(SdlibError, ValueError):
    """A value cannot be used: an unknown name, a negative lambda, a wrong shape.

    It is a :class:`ValueError` as well, for code that knows nothing of this library.
    """


def run_command_line(app: Callable[[], object]) -> None:
    """Run a command line; an error raised on purpose is one message and exit status 2.

    Parameters
    ----------
    app : callable
        Takes no arguments: a typer application reads them from ``sys.argv``.

    Raises
    ------
    SystemExit
        With status 2, where the application raised an :class:`SdlibError`.

    Examples
    --------
    >>> run_command_line(lambda: print("done"))
    done
    """
    try:
        app()
    except SdlibError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
