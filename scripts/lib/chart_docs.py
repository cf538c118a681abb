"""chart_docs.py CHART [--check]: see scripts/chart-docs."""
import json
import pathlib
import re
import sys

import yaml

BEGIN, END = "<!-- values: made by scripts/chart-docs -->", "<!-- end of values -->"


def leaves(node, path=()):
    """(dotted key, value) of everything that is not a map with keys of its own."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


def descriptions(text):
    """{dotted key: comment that begins with "# --" above it}"""
    found, path, comment = {}, [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# --"):
            comment = [stripped[4:].strip()]
        elif stripped.startswith("#") and comment:
            comment.append(stripped[1:].strip())
        elif match := re.match(r"^( *)([A-Za-z][\w-]*):", line):
            depth = len(match[1]) // 2
            path = [*path[:depth], match[2]]
            if comment:
                found[".".join(path)] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


def kind(value):
    names = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "object", type(None): "int"}
    return names[type(value)]


def table(text):
    comments = descriptions(text)
    rows = ["| Key | Type | Default | Description |", "|-----|------|---------|-------------|"]
    used = set()
    for key, value in sorted(leaves(yaml.safe_load(text))):
        parts = key.split(".")
        # A comment on a map with keys is about the first of them in the table.
        words = comments.get(key, "")
        for n in range(1, len(parts)):
            above = ".".join(parts[:n])
            if above in comments and above not in used:
                words = f"{comments[above]} {words}".strip()
                used.add(above)
        words = words.replace("|", "\\|")
        rows.append(f"| {key} | {kind(value)} | `{json.dumps(value)}` | {words} |")
    return "\n".join(rows)


def main(chart, check=None):
    chart = pathlib.Path(chart)
    readme = chart / "README.md"
    old = readme.read_text()
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    new = f"{before}{BEGIN}\n{table((chart / 'values.yaml').read_text())}\n{END}{after}"
    if check:
        sys.exit(0 if new == old else "the table of values in the chart's README is old: run scripts/chart-docs")
    readme.write_text(new)


main(*sys.argv[1:])
