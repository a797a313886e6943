"""Pages of the public headers: what each declares, with its comments as text and its code without what is private.

The headers are parsed by tree-sitter's C++ grammar, which needs neither a compiler nor the headers of torch."""

import re
from pathlib import Path
from typing import NamedTuple

import tree_sitter
import tree_sitter_cpp

FOLDERS = ("framework", "solvers", "adaptive", "datasets", "neural", "pipeline", "evaluation")
TYPES = {"class_specifier", "struct_specifier", "enum_specifier", "union_specifier"}
NAMED = {"identifier", "type_identifier", "field_identifier", "operator_name", "qualified_identifier"}


class Entry(NamedTuple):
    names: list  # what is declared
    text: str    # the comment above it
    code: str


class Header(NamedTuple):
    path: str       # from the repository's root
    text: str       # the comment that the file begins with
    includes: list  # own headers that it includes
    entries: list


def paths(root):
    """All public headers, from the repository's root."""
    return sorted(p.relative_to(root).as_posix() for folder in FOLDERS for p in (root / folder).rglob("*.h"))


def comment_text(node):
    return re.sub(r"^//[/!]?<? ?", "", node.text.decode())


def declared_name(node):
    """The name that a declaration introduces; None for one that introduces none, as `class Other;` does."""
    if node.type in TYPES:
        return node.child_by_field_name("name").text.decode() if node.child_by_field_name("body") else None
    if node.type == "template_declaration":
        return declared_name(node.named_children[-1])
    if node.type == "alias_declaration":
        return node.child_by_field_name("name").text.decode()
    if node.type == "concept_definition":
        return node.child_by_field_name("name").text.decode()
    below = node.child_by_field_name("declarator")
    while below is not None and below.type not in NAMED:
        below = below.child_by_field_name("declarator") or next((c for c in below.named_children if "declarator" in c.type or c.type in NAMED), None)
    return below.text.decode() if below is not None else None


def hidden(node):
    """Byte ranges that a reader of the interface does not need: (start, end, what stands there instead)."""
    if node.type == "function_definition":
        body = node.child_by_field_name("body")
        start = next((c for c in node.children if c.type == "field_initializer_list"), body)
        if body is not None and body.type == "compound_statement":
            yield start.start_byte, body.end_byte, b";"
            return
    if node.type == "field_declaration_list":
        inside = node.parent.type == "class_specifier"  # private until something else is said
        start = node.children[0].end_byte if inside else None
        for child in node.children[1:]:
            access = child.text if child.type == "access_specifier" else None
            if (access or child.type == "}") and inside:
                yield start, child.start_byte, b"\n" if child.type == "}" else b"\n "
            if access:
                inside = access.startswith(b"private")
                start = child.start_byte
            elif not inside:
                yield from hidden(child)
        return
    for child in node.children:
        yield from hidden(child)


def shown(source, nodes):
    """The code of declarations that stand together."""
    first, last = nodes[0].start_byte, nodes[-1].end_byte
    if last < len(source) and source[last:last + 1] == b";":
        last += 1
    out = source[first:last]
    for start, end, instead in sorted((r for n in nodes for r in hidden(n)), reverse=True):
        head = out[:start - first]
        out = (head.rstrip() if instead == b";" else head) + instead + out[end - first:]
    text = re.sub(r"\n\s*\n(\s*\n)+", "\n\n", out.decode())
    return re.sub(r"\n\s*\n(\s*)\}", r"\n\1}", text)


def parse(root, path):
    source = (root / path).read_bytes()
    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_cpp.language())).parse(source).root_node
    intro, includes, entries = [], [], []
    for node in tree.named_children:
        if node.type == "comment" and not includes and not entries and node.text.startswith(b"// "):
            intro.append(comment_text(node))
        elif node.type == "preproc_include":
            own = re.match(r'"(.+)"', node.child_by_field_name("path").text.decode())
            includes += [own.group(1)] if own else []
        elif node.type == "namespace_definition" and re.match(rb"stride(::|$)", node.child_by_field_name("name").text):
            entries += entries_of(source, node.child_by_field_name("body"))
    return Header(path, " ".join(intro), includes, entries)


def entries_of(source, body):
    entries, comment, nodes, names = [], [], [], []

    def close():
        if names:
            entries.append(Entry(list(dict.fromkeys(names)), " ".join(texts), shown(source, nodes)))
        nodes.clear()
        names.clear()

    texts = []
    for node in body.named_children:
        line = node.start_point.row
        if node.type == "ERROR":
            raise ValueError(f"line {line + 1}: tree-sitter cannot read this declaration")
        if node.type == "comment":
            if nodes and line == nodes[-1].end_point.row:
                nodes.append(node)  # on the same line: it stays in the code
                continue
            if comment and comment[-1].end_point.row + 1 != line:
                comment = []
            comment.append(node)
            continue
        name = declared_name(node)
        commented = comment and comment[-1].end_point.row + 1 == line
        if commented or not nodes or nodes[-1].end_point.row + 1 != line or name is None or node.type in TYPES:
            close()
            texts = [comment_text(c) for c in comment] if commented else []
        comment = []
        if name is not None:
            nodes.append(node)
            names.append(name)
    close()
    return entries


def markdown(text, page, known):
    """A comment as Markdown: nothing in it is markup but code in backquotes, and names of pages and headers are links."""
    out = []
    for part in re.split(r"(`[^`]*`)", text):
        if part.startswith("`") and part.endswith("`") and len(part) > 1:
            out.append(part)
            continue
        part = re.sub(r"([\\*_\[\]<>#|~^$`])", r"\\\1", part)
        for target in re.findall(r"\b(?:docs/[\w/\\-]+\.md|[\w/\\]+\.h)\b", part):
            path = target.replace("\\", "")
            if path in known:
                part = part.replace(target, f"[{target}]({relative(page, known[path])})")
        out.append(part)
    return "".join(out)


def relative(page, target):
    """The way from one page to another, both from the site's root."""
    return "../" * page.count("/") + target


def write(root, pages, documents):
    """reference/cpp/: a page for each folder, and one for each header. `documents`: the repository's own pages."""
    headers = [parse(root, path) for path in paths(root)]
    known = {h.path: f"reference/cpp/{h.path}.md" for h in headers} | {p: p for p in documents}
    ideas = dict(re.findall(r"^\| `([a-z_/]+)/` \| (.*) \|$", (root / "docs" / "architecture.md").read_text(), re.M))
    rooms = {}
    for header in headers:
        rooms.setdefault(str(Path(header.path).parent), []).append(header)
        pages.write(known[header.path], header_page(header, known))
    for room, inside in rooms.items():
        page = room_page(room)
        rows = [f"| [`{Path(h.path).name}`]({relative(page, known[h.path])}) | {markdown(h.text, page, known)} |" for h in inside]
        idea = ideas.get(room, "")
        pages.write(page, "\n".join([f"# {room}/", "", idea[:1].upper() + idea[1:] + ".", "", "| header | |", "|---|---|", *rows]) + "\n")
    pages.write("reference/cpp.md", "\n".join([
        "# C++ headers", "",
        "What the headers declare, by folder. [Stride in C++](../docs/library.md) is where to begin; the folders and what may "
        "include what are in [Architecture](../docs/architecture.md). Installed, each is `<stride/FOLDER/FILE.h>`.", "",
        "| folder | holds |", "|---|---|",
        *(f"| [{room}/]({relative('reference/cpp.md', room_page(room))}) | {ideas.get(room, '')} |" for room in sorted(rooms)), "",
        "```{toctree}\n:hidden:\n", *(f"cpp/{room.replace('/', '-')}" for room in sorted(rooms)), "```"]) + "\n")


def room_page(room):
    return f"reference/cpp/{room.replace('/', '-')}.md"


def header_page(header, known):
    page = known[header.path]
    room = str(Path(header.path).parent)
    include = "stride/stride.h" if header.path == "evaluation/stride.h" else f"stride/{header.path}"
    lines = ["---", "orphan: true", "---", "", f"# {header.path}", "", f"{markdown(header.text, page, known)}", "",
             f"```cpp\n#include <{include}>\n```", "",
             f"In [{room}/]({relative(page, room_page(room))})."]
    own = [f"[`{i}`]({relative(page, known[i])})" for i in header.includes if i in known]
    if own:
        lines[-1] += f" Includes {', '.join(own)}."
    for entry in header.entries:
        index = "; ".join(f"single: {name} (C++)" for name in entry.names if name.isidentifier())
        lines += ["", f"```{{index}} {index}\n```"] if index else []
        lines += ["", "## " + ", ".join(f"`{name}`" for name in entry.names), ""]
        lines += [markdown(entry.text, page, known), ""] if entry.text else []
        lines += ["```cpp", entry.code, "```"]
    return "\n".join(lines) + "\n"
