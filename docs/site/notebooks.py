"""Runs the notebooks of examples/python, each in a kernel and an empty folder of its own.

    notebooks.py --module FOLDER [--write] [NOTEBOOK…]

Without --write it is a test: a cell tagged `parameters` is followed by its small settings (its metadata `small`), and every
cell must still show the kinds of things that the stored one shows. With --write the notebooks are run as they stand, and
what they show is stored."""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  (its list of fonts is made here, where no notebook hears of it)
import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "python"
MOST_BYTES = 1_500_000  # of all notebooks: they are fetched with every clone
# Written apart so that this file does not match itself.
MACHINE = re.compile(r"/(?:ro" r"ot|ho" r"me|tmp|wo" r"rk)/")


def kinds(cell):
    """What a cell shows: "stream" for printed text, and the richest type of each thing shown."""
    out = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            if out[-1:] != ["stream"]:  # one text may come in parts
                out.append("stream")
        elif output.output_type in ("display_data", "execute_result"):
            out.append(next(k for k in ("image/png", "text/html", "text/plain") if k in output.data))
    return out


def complaints(notebook):
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} writes to standard error: {output.text[:300]}"
            text = output.get("text", "") + "".join(str(v) for k, v in output.get("data", {}).items() if k.startswith("text"))
            if MACHINE.search(text):
                yield f"cell {number} shows a path of this machine: {MACHINE.search(text).group(0)}"


def run(path, write):
    notebook = nbformat.read(path, 4)
    stored = [kinds(c) for c in notebook.cells]
    for cell in notebook.cells:
        small = cell.metadata.get("small")
        if small and not write:
            cell.source += "\n" + small
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False,
                                         resources={"metadata": {"path": folder}}, extra_arguments=["--log-level=ERROR"])
        try:
            client.execute()
        except nbclient.exceptions.CellExecutionError as error:
            return [str(error)]
    found = list(complaints(notebook))
    if write and not found:
        nbformat.validate(notebook)
        notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                             "language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        path.write_text(nbformat.writes(notebook) + "\n")
    if not write:
        found += [f"cell {n} shows {kinds(cell)}, and the stored one {old}: run scripts/notebooks"
                  for n, (cell, old) in enumerate(zip(notebook.cells, stored)) if kinds(cell) != old]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--module", required=True, type=Path, help="the folder that stride/ lies in")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(options.module.resolve())
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    wrong = 0
    for path in options.notebooks or sorted(FOLDER.glob("*.ipynb")):
        start = time.monotonic()
        found = run(path, options.write)
        print(f"{path.name}: {'; '.join(found) or 'good'}, {time.monotonic() - start:.1f} s", flush=True)
        wrong += bool(found)
    size = sum(p.stat().st_size for p in FOLDER.glob("*.ipynb"))
    if size > MOST_BYTES:
        print(f"the notebooks are {size} bytes, more than {MOST_BYTES}: smaller pictures")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
