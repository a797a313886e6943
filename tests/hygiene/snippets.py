"""Code in the documentation that is a copy of a source file. A fenced block after the line

    <!-- source: examples/own_solver.cpp -->            the whole file
    <!-- source: solvers/methods/heun.cpp heun_step -->  what begins on the first line that is not indented and names
                                                         heun_step(, and ends at the next line that begins with }

holds what the source holds. `scripts/snippets` writes the blocks anew; hygiene fails where one is behind."""

import re
import sys
from pathlib import Path

MARK = re.compile(r"^<!-- source: (\S+)(?: (\S+))? -->$")


def excerpt(text, name):
    """The part of `text` that `name` stands for; None where there is none."""
    if name is None:
        return text
    lines = text.splitlines(keepends=True)
    for first, line in enumerate(lines):
        if re.match(r"\S", line) and re.search(rf"\b{re.escape(name)}\b", line) and not line.startswith(("//", "#")):
            for last in range(first, len(lines)):
                if lines[last].startswith("}"):
                    return "".join(lines[first : last + 1])
    return None


def pages(root):
    root = Path(root)
    return [p for p in sorted(root.glob("*.md")) + sorted(root.glob("docs/**/*.md"))]


def refresh(root, page):
    """The page with its blocks as the sources have them, and the complaints: (line, text)."""
    lines = page.read_text().splitlines(keepends=True)
    out, wrong, at = [], [], 0
    while at < len(lines):
        out.append(lines[at])
        mark = MARK.match(lines[at].rstrip("\n"))
        at += 1
        if not mark:
            continue
        number, (file, name) = at, mark.groups()
        if at >= len(lines) or not lines[at].startswith("```"):
            wrong.append((number, "no fenced block follows"))
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].rstrip() == "```"), None)
        source = Path(root) / file
        text = excerpt(source.read_text(), name) if source.is_file() else None
        if end is None or text is None:
            wrong.append((number, f"{file} has no {name}" if end and source.is_file() else f"{file} is not there, or the block has no end"))
            continue
        if "".join(lines[at + 1 : end]) != text:
            wrong.append((number, f"differs from {file}: run scripts/snippets"))
        out += [lines[at], text, lines[end]]
        at = end + 1
    return "".join(out), wrong


def main():
    root = Path(__file__).resolve().parents[2]
    for page in pages(root):
        text, _ = refresh(root, page)
        if text != page.read_text():
            page.write_text(text)
            print(page.relative_to(root))
    left = [f"{page.relative_to(root)}:{number}: {what}" for page in pages(root) for number, what in refresh(root, page)[1]]
    print("\n".join(left), file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
