"""Cards: what a model folder holds, as TOML (docs/models.md lists the keys)."""

import hashlib
import json
import math
import re

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_key(key):
    return key if BARE_KEY.fullmatch(key) else json.dumps(key)


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a card")
        return repr(value)
    if isinstance(value, str):
        # JSON's strings are TOML's, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    raise TypeError(f"a {type(value).__name__} has no place in a card")


def toml_text(tables):
    """{table: {key: value}} as TOML; keys whose value is None are left out."""
    lines = []
    for name, table in tables.items():
        lines += [""] if lines else []
        lines.append(f"[{name}]")
        for key, value in table.items():
            if value is None:
                continue
            if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
                rows = ",\n".join("  " + toml_value(each) for each in value)
                lines.append(f"{toml_key(key)} = [\n{rows},\n]")
            else:
                lines.append(f"{toml_key(key)} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
