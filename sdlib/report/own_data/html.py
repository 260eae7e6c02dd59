"""A page as one file: text that is escaped, tables that scroll, pictures within the file.

Nothing is loaded from anywhere, and nothing is run: the page has no script, and forbids any.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.datasets.group_names import visible
from sdlib.report.own_data.tables import Table

__all__ = ["details", "document", "items", "paragraph", "picture", "section", "table", "text"]

DPI = 160
UNBROKEN = "\N{NO-BREAK SPACE}"
NARROW_SCREEN = 600  # px, up to which a telephone's picture is shown
#: Whatever a manifest's text holds, the browser runs nothing and fetches nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #ffffff; --soft: #f3f4f6;
  --line: #d5d8dd; --quiet: #5b616b; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --paper: #15171a; --soft: #22262b; --line: #3a4048; --quiet: #a9b1bb;
    --accent: #7db7f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .4rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
p, li { overflow-wrap: anywhere; }
.answer { background: var(--soft); border-left: .3rem solid var(--accent); padding: .8rem 1rem;
  border-radius: .3rem; }
.answer p:first-child { font-size: 1.1rem; font-weight: 600; margin-top: 0; }
.answer p:last-child { margin-bottom: 0; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
td { white-space: nowrap; }
thead th { vertical-align: bottom; min-width: 6rem; }
tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper);
  font-weight: 600; min-width: 7rem; max-width: 14rem; overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff;
  border-radius: .3rem; }
figcaption, .quiet { color: var(--quiet); font-size: .92rem; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem; font-size: .92em;
  overflow-wrap: anywhere; }
a { color: var(--accent); }
"""


def text(content: str) -> str:
    """A text as HTML shows it: no tag of it is one, and no invisible character is left.

    >>> text('<script>alert("1")</script>')
    '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'
    """
    # Non-breaking spaces stay: an interval is not broken over lines.
    seen = UNBROKEN.join(visible(part) for part in content.split(UNBROKEN))
    return html.escape(seen, quote=True)


def paragraph(content: str, name: str = "") -> str:
    """A paragraph of plain text, with the name of a class of the page's style."""
    return f"<p{_class(name)}>{text(content)}</p>"


def items(contents: Sequence[str]) -> str:
    """A numbered list of plain texts."""
    lines = "".join(f"<li>{text(content)}</li>" for content in contents)
    return f"<ol>{lines}</ol>"


def table(content: Table) -> str:
    """A table whose first column stays where it is when the others are scrolled."""
    head = "".join(f'<th scope="col">{text(heading)}</th>' for heading in content.headings)
    rows = []
    for first, *others in content.rows:
        cells = "".join(f"<td>{text(cell)}</td>" for cell in others)
        rows.append(f'<tr><th scope="row">{text(first)}</th>{cells}</tr>')
    # Whoever has no mouse scrolls it by the arrow keys.
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="table"><table><thead>'
        f"<tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def picture(wide: Figure, caption: str, described: str, narrow: Figure | None = None) -> str:
    """A figure within the file, with its caption; both figures are closed.

    Parameters
    ----------
    wide : matplotlib.figure.Figure
    caption : str
        Below it.
    described : str
        What it shows, for those who do not see it.
    narrow : matplotlib.figure.Figure, optional
        In its place on a telephone.
    """
    source = ""
    if narrow is not None:
        media = f"(max-width: {NARROW_SCREEN}px)"
        source = f'<source media="{media}" srcset="{_data(narrow)}">'
    width = round(wide.get_size_inches()[0] * 100)
    image = f'<img src="{_data(wide)}" width="{width}" alt="{text(described)}">'
    return (
        f"<figure><picture>{source}{image}</picture>"
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def section(heading: str, *parts: str) -> str:
    """A heading with what stands below it, which is HTML."""
    return f"<section><h2>{text(heading)}</h2>{''.join(parts)}</section>"


def details(summary: str, *parts: str) -> str:
    """What is folded away below a line of text; the parts are HTML."""
    return f"<details><summary>{text(summary)}</summary>{''.join(parts)}</details>"


def document(title: str, answer: Sequence[str], *parts: str) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
    answer : sequence of str
        Plain sentences that stand in a box at the top.
    *parts : str
        HTML.
    """
    box = "".join(paragraph(sentence) for sentence in answer)
    return (
        '<!DOCTYPE html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body><main>"
        f'<h1>{text(title)}</h1><div class="answer">{box}</div>\n'
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _data(figure: Figure) -> str:
    """A figure as an address that holds it."""
    stream = io.BytesIO()
    # Without a version of the software the same figure has the same bytes.
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
