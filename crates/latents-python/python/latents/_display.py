"""What a notebook shows: figures, cards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import _latents

__all__ = ["Card", "Explorer", "Figure"]


def _save(path: str | os.PathLike[str], ending: str, text: str) -> None:
    if Path(path).suffix.lower() != ending:
        raise ValueError(f"{os.fspath(path)}: it is written as {ending}")
    _latents.write_text(path, text)


class Figure:
    """A figure as SVG, which a notebook shows as it is.

    Parameters
    ----------
    svg : str
        The drawing.
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<latents.Figure of {len(self.svg)} bytes of SVG>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an SVG file.

        Parameters
        ----------
        path : str or path
            A file whose name ends in ``.svg``.
        """
        _save(path, ".svg", self.svg)


class Explorer:
    """A page on which a person explores latents: a map, and a decoder that runs in the page. A notebook shows it in a frame; it refers to nothing outside itself.

    Parameters
    ----------
    html : str
        The page.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        from html import escape

        return f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" style="width: 100%; height: 900px; border: 0"></iframe>'

    def __repr__(self) -> str:
        return f"<latents.Explorer of {len(self.html)} bytes of HTML>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an HTML file.

        Parameters
        ----------
        path : str or path
            A file whose name ends in ``.html``.
        """
        _save(path, ".html", self.html)


class Card(dict[str, Any]):
    """The measures of a model by their names, which print as a table of Markdown."""

    def __init__(self, measures: dict[str, Any], markdown: str) -> None:
        super().__init__(measures)
        self.markdown = markdown

    def __str__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown
