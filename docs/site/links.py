"""What the pages of the repository refer to, on a site: headers that are named in the text become links, files of the
repository that are linked to become pages."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]+`", re.M | re.S)
LANGUAGES = {".cpp": "cpp", ".h": "cpp", ".py": "python", ".sh": "bash", ".cmake": "cmake", ".toml": "toml", ".txt": "text", "": "bash", ".def": "cpp"}
DATA = {".csv", ".json", ".npz", ".png", ".svg", ".ipynb", ".md"}  # Sphinx knows what to do


class HeaderLinks(SphinxTransform):
    """`pipeline/sample.h` in a text is a link to that header's page."""

    default_priority = 400

    def apply(self, **_):
        here = self.env.docname
        for literal in list(self.document.findall(nodes.literal)):
            target = f"reference/cpp/{literal.astext()}"
            if literal.astext().endswith(".h") and target in self.env.found_docs and target != here and not isinstance(literal.parent, (nodes.reference, pending_xref, nodes.title)):
                link = pending_xref("", refdomain="std", reftype="doc", reftarget=f"/{target}", refexplicit=True, refdoc=here, refwarn=True)
                literal.replace_self(link)
                link += literal


def linked_sources(root, page):
    """Files and folders of the repository, not pages, that a page of it links to; what is not there is Sphinx's to say."""
    text = CODE.sub("", (root / page).read_text())
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path = Path(page).parent / target
        there = (root / path).resolve()
        if there.is_relative_to(root.resolve()) and there.exists() and (there.is_dir() or there.suffix not in DATA):
            yield target, there.relative_to(root.resolve()).as_posix()


def source_page(root, path):
    """A file of the repository as a page; of a folder, its files."""
    there = root / path
    if there.is_dir():
        files = sorted(p for p in there.iterdir() if p.is_file() and not p.name.startswith("."))
        up = "../" * (path.count("/") + 2)
        return "\n".join(["---", "orphan: true", "---", "", f"# {path}/", "", *(f"- {{download}}`{p.name} </{p.relative_to(root).as_posix()}>`" for p in files)]) + "\n", [p.relative_to(root).as_posix() for p in files]
    language = LANGUAGES.get(there.suffix, "text")
    fence = "````"
    return "\n".join(["---", "orphan: true", "---", "", f"# {path}", "", f"{fence}{language}", there.read_text().rstrip("\n"), fence]) + "\n", []
