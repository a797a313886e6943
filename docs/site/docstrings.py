"""Docstrings of the module as reST. They are plain text for help(): paragraphs, and blocks of `name: what it is`, with
code in single backquotes; here such blocks become lists."""

import re

ITEM = re.compile(r"^([\w\"'`*-]+(?:, [\w\"'`*-]+)*): (.*)$")


def marked(text):
    """Text in which nothing is markup but code in backquotes."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(f"`{p}`" if p.startswith("`") and len(p) > 1 else re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", p) for p in parts)


def rest(lines):
    """The lines of a docstring as those of a document."""
    out = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.split("\n")
        if rows[0].strip() == "Settings:":
            out += ["**Settings**", ""]
            rows = [re.sub(r"^ {4}", "", row) for row in rows[1:]]
        if rows and ITEM.match(rows[0]):
            for row in rows:
                item = ITEM.match(row)
                out.append(f"- **{marked(item.group(1)).replace('``', '')}**: {marked(item.group(2))}" if item else f"  {marked(row.strip())}")
        else:
            out += [marked(row.strip()) for row in rows]
        out.append("")
    return out


def process(_app, _what, _name, _object, _options, lines):
    lines[:] = rest(lines)


def undocumented(app, env):
    """Every public name of the module is on a page."""
    import stride
    from sphinx.util import logging

    known = {name for name, *_ in env.get_domain("py").get_objects()}
    for name in sorted(set(stride.__all__) - {"__version__"}):
        if f"stride.{name}" not in known:
            logging.getLogger(__name__).warning("stride.%s is on no page: add it to docs/site/pages/reference/python.md", name, type="stride", subtype="undocumented")
