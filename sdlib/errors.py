"""The errors this library raises on purpose: one sentence that says what to do.

The command line prints them without a traceback and exits with status 2.
"""

__all__ = ["ConfigError", "DataError", "SdlibError"]


class SdlibError(Exception):
    """Base of every error raised on purpose."""


class DataError(SdlibError):
    """Images, manifests or stored results that are absent, broken or contradictory."""


class ConfigError(SdlibError, ValueError):
    """A value that no run can use: an unknown name, a negative lambda, a wrong shape."""
