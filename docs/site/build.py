"""Builds the documentation site: docs/, guides, notebooks, and references made of the sources.

    build.py --stride COMMAND --module FOLDER --out FOLDER [--work FOLDER] [--fresh]

The pages keep their places of the repository (docs/cli.md is docs/cli.html), so that their links hold on both. Warnings
are errors, and so is whatever a reader's browser would fetch from elsewhere."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import headers
import links
import solver_table

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FETCHED = re.compile(r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc\s*=\s*["']?(?:https?:)?//[^"'> ]+"""
                     r"""|<link\b(?![^>]*rel=["'](?:canonical|next|prev)["'])[^>]*\bhref\s*=\s*["']?(?:https?:)?//[^"'> ]+""")
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"') ]+""")


class Pages:
    """The folder that Sphinx reads: written only where something changed, so that a second build is short."""

    def __init__(self, folder):
        self.folder = folder
        self.laid = set()

    def write(self, name, data):
        path = self.folder / name
        data = data.encode() if isinstance(data, str) else data
        self.laid.add(path)
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def sweep(self):
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in self.laid:
                path.unlink()


def lay_repository(pages):
    """The repository's own pages with their pictures and data; files that they link to as pages under sources/."""
    names = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
    names += [p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*") if p.is_file() and HERE not in p.parents]
    names += [p.relative_to(ROOT).as_posix() for p in (ROOT / "examples" / "python").glob("*.ipynb")]
    sources = {}
    for name in sorted(names):
        if not name.endswith(".md"):
            pages.write(name, (ROOT / name).read_bytes())
            continue
        text = (ROOT / name).read_text()
        for target, path in dict(links.linked_sources(ROOT, name)).items():
            sources[path] = f"sources/{path}.md"
            text = text.replace(f"]({target})", f"]({headers.relative(name, sources[path])})")
        pages.write(name, text)
    for path, name in sources.items():
        text, files = links.source_page(ROOT, path)
        pages.write(name, text)
        for file in files:
            pages.write(file, (ROOT / file).read_bytes())
    return [n for n in names if n.endswith(".md")]


def fetched(folder):
    """What a browser would load from elsewhere: (file, what)."""
    for path in folder.rglob("*"):
        pattern = {".html": FETCHED, ".css": FETCHED_BY_STYLE}.get(path.suffix)
        if pattern:
            yield from ((path.relative_to(folder), m.group(0)) for m in pattern.finditer(path.read_text(errors="replace")))


def missing(folder):
    """Pictures, scripts and styles that pages name and that are not there: (file, what)."""
    for path in folder.rglob("*.html"):
        text = path.read_text(errors="replace")
        names = set(re.findall(r'<(?:img|script)\b[^>]*\bsrc="([^":]+)"', text)) | set(re.findall(r'<link\b[^>]*\brel="stylesheet"[^>]*\bhref="([^":]+)"', text))
        yield from ((path.relative_to(folder), name) for name in names if not (path.parent / unquote(name.split("?")[0])).exists())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("stride", "module", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--fresh", action="store_true", help="nothing of an earlier build is used")
    options = parser.parse_args()
    work = (options.work or options.out.with_name(options.out.name + "-work")).resolve()
    html, whole = work / "html", work / "whole"  # nothing is taken from a build that did not end
    if options.fresh or not whole.exists():
        shutil.rmtree(work, ignore_errors=True)
    whole.unlink(missing_ok=True)
    pages = Pages(work / "source")
    listing = subprocess.run([options.stride.resolve(), "list", "solvers", "--json"], check=True, capture_output=True, text=True).stdout
    pages.write("reference/solvers.md", solver_table.page(listing))
    headers.write(ROOT, pages, lay_repository(pages))
    for page in (HERE / "pages").rglob("*.md"):
        pages.write(page.relative_to(HERE / "pages").as_posix(), page.read_bytes())
    pages.sweep()
    environment = dict(os.environ, PYTHONPATH=str(options.module.resolve()), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", HERE, "-d", work / "doctrees", "-j", "auto", "-q", "-n", "-W", "--keep-going",
               pages.folder, html]
    code = subprocess.run(command, env=environment).returncode
    if code:
        return code
    wrong = [f"{file}: a reader's browser would fetch {what}" for file, what in fetched(html)]
    wrong += [f"{file}: shows {what}, which is not there" for file, what in missing(html)]
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    if wrong:
        return 1
    shutil.copytree(html, options.out, dirs_exist_ok=True)
    whole.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
