"""What a notebook shows: figures, cards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["Card", "Figure"]


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
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise ValueError(f"{target}: a figure is written as .svg")
        target.write_text(self.svg, encoding="utf-8")


class Card(dict[str, Any]):
    """The measures of a model by their names, which print as a table of Markdown."""

    def __init__(self, measures: dict[str, Any], markdown: str) -> None:
        super().__init__(measures)
        self.markdown = markdown

    def __str__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown
