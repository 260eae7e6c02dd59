"""The errors that this library raises on purpose, each with one sentence that says what to do.

The command line prints them without a traceback and exits with status 2. Any other exception is a
mistake in the library.
"""

__all__ = ["ConfigError", "DataError", "SdlibError"]


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
