"""Whether someone reads along while a notebook runs."""

from __future__ import annotations

import os

__all__ = ["has_frontend"]


def has_frontend() -> bool:
    """Whether a notebook server (JupyterLab or Voila) has started this kernel for a reader.

    papermill and nbconvert start kernels of their own, to which no page is listening.
    """
    server = os.environ.get("SERVER_SOFTWARE", "")
    return bool(os.environ.get("JPY_SESSION_NAME")) or server.startswith("voila")
