"""Progress of long calls: a bar in a notebook, lines that replace each other on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

__all__ = ["display", "set_progress"]

_shown: bool | None = None


def set_progress(shown: bool | None) -> None:
    """Chooses whether long calls show how far they are.

    Parameters
    ----------
    shown : bool or None
        With None, which is the default, they do in a notebook and on a terminal.

    Examples
    --------
    >>> import latents
    >>> latents.set_progress(False)
    """
    global _shown
    _shown = shown


class Display(Protocol):
    """What shows progress."""

    def progress(self, task: str, done: int, total: int, message: str) -> None: ...
    def end(self, task: str) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


def display() -> Display:
    """What shows the progress of a call."""
    shell = _notebook()
    if _shown is False or (_shown is None and shell is None and not _is_terminal()):
        return _Silent()
    return _Lines(sys.stderr) if shell is None else _Bars(shell)


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _notebook() -> Any:
    """IPython's display functions, if this is a notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display, get_ipython

    shell = get_ipython()
    return display if shell is not None and hasattr(shell, "kernel") else None


def _left(begun: float, first: int, done: int, total: int) -> str:
    """The time left, by the time that it took since progress was first seen."""
    if done <= first or total <= done:
        return ""
    seconds = (time.monotonic() - begun) / (done - first) * (total - done)
    if seconds < 60:
        return f"{seconds:.0f} s left"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s left"
    return f"{seconds // 3600:.0f} h {seconds // 60 % 60:.0f} min left"


class _Tasks:
    """When each task was first seen, and how far it was then."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def text(self, task: str, done: int, total: int, message: str) -> str:
        begun, first = self._first.setdefault(task, (time.monotonic(), done))
        part = f"{100 * done // total} %" if total > 0 else ""
        texts = [task, part, _left(begun, first, done, total), message]
        return "  ".join(text for text in texts if text)

    def drop(self, task: str) -> None:
        self._first.pop(task, None)


class _Silent:
    def progress(self, task: str, done: int, total: int, message: str) -> None: ...
    def end(self, task: str) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


class _Lines:
    """One line on a terminal, or a line for each note where lines cannot be replaced."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._replaces = out.isatty()
        self._tasks = _Tasks()
        self._width = 0

    def _write(self, text: str, end: str) -> None:
        padding = " " * (self._width - len(text))
        start = "\r" if self._width else ""
        self._out.write(f"{start}{text}{padding}{end}")
        self._out.flush()

    def progress(self, task: str, done: int, total: int, message: str) -> None:
        if not self._replaces:
            return
        text = self._tasks.text(task, done, total, message)[:100]
        self._write(text, "")
        self._width = len(text)

    def end(self, task: str) -> None:
        self._tasks.drop(task)

    def note(self, text: str) -> None:
        self._write(text, "\n")
        self._width = 0

    def close(self) -> None:
        if self._width:
            self._write("", "\r")
            self._width = 0


class _Bars:
    """A bar for each task in a notebook, below the last note, which opens to show all."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._tasks = _Tasks()
        self._notes: list[str] = []
        self._rows: dict[str, str] = {}
        self._handle: Any = None

    def _draw(self) -> None:
        from html import escape

        notes = [escape(note) for note in self._notes]
        rows = [f"<div>{row}</div>" for row in self._rows.values()]
        if len(notes) > 1:
            rows.insert(0, f"<details><summary>{notes[-1]}</summary><pre>{chr(10).join(notes)}</pre></details>")
        else:
            rows[:0] = [f"<div>{note}</div>" for note in notes]
        page = self._shell.HTML("".join(rows))
        if self._handle is None:
            self._handle = self._shell.display(page, display_id=True)
        else:
            self._handle.update(page)

    def progress(self, task: str, done: int, total: int, message: str) -> None:
        from html import escape

        text = escape(self._tasks.text(task, done, total, message))
        self._rows[task] = f'<progress value="{done}" max="{max(total, 1)}"></progress> {text}'
        self._draw()

    def end(self, task: str) -> None:
        self._tasks.drop(task)
        if self._rows.pop(task, None) is not None:
            self._draw()

    def note(self, text: str) -> None:
        self._notes.append(text)
        self._draw()

    def close(self) -> None:
        if self._handle is not None:
            self._rows.clear()
            self._draw()
