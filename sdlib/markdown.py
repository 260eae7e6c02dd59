"""Text from files, so that pages show it and do not obey it."""

from __future__ import annotations

import html
import re

__all__ = ["as_markdown"]


def as_markdown(text: object) -> str:
    r"""Escape text from a row: Markdown and HTML show it as it is, on one line.

    Examples
    --------
    >>> as_markdown("cpu x86_64")
    'cpu x86_64'
    >>> as_markdown("<b> | $x$")
    '&lt;b&gt; \\| \\$x\\$'
    """
    plain = html.escape(" ".join(str(text).split()), quote=False)
    # An underscore within a word, as in x86_64, is none of Markdown's.
    return re.sub(r"[\\`*\[\]|$~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain)
