"""Runs the notebooks of docs/notebooks, each in an empty folder, and fails if a cell does.

    python check_notebooks.py [--write] [NOTEBOOK ...]

--write keeps what the cells printed and drew in the notebooks, for people who read them without running them. Outputs of more than 200 kB, such as explorers, are left out, and long ones shortened.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

LARGEST = 200_000
ENDS = 4


def shortened(output):
    """An output with the first and the last lines of what was printed."""
    lines = output.get("text", "").splitlines(keepends=True)
    if len(lines) > 2 * ENDS + 1:
        output.text = "".join([*lines[:ENDS], "...\n", *lines[-ENDS:]])
    return output


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args()
    folder = Path(__file__).resolve().parents[2] / "docs/notebooks"
    for path in options.notebooks or sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as empty:
            NotebookClient(notebook, timeout=900, resources={"metadata": {"path": empty}}).execute()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        print(f"  ok: {path.name}, {len(cells)} cells in {time.monotonic() - started:.0f} s", flush=True)
        if options.write:
            for cell in cells:
                cell.metadata.pop("execution", None)
                cell.outputs = [shortened(output) for output in cell.outputs if len(json.dumps(output)) < LARGEST]
            nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
