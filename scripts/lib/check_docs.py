"""Checks what the pages in docs/ and the README say about the tree: paths in backticks exist, and `path: name` is found there.

Prints what is wrong and ends with 1; a path counts when it starts with a folder of the tree and has no placeholder.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("agent/", "common/", "charts/", "scripts/", "tests/", "docs/", "packaging/", "cmake/")
QUOTED = re.compile(r"`([\w./-]+?)(?:: ([\w:]+))?`")


def problems(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for match in QUOTED.finditer(text):
        path, name = match.groups()
        if not path.startswith(FOLDERS):
            continue
        line = text.count("\n", 0, match.start()) + 1
        found = ROOT / path
        if not found.exists() and not any(found.parent.glob(found.name + ".*")):
            yield f"{page.relative_to(ROOT)}: {path} does not exist (near line {line})"
        elif name and not re.search(rf"\b{re.escape(name)}\b", found.read_text(encoding="utf-8")):
            yield f"{page.relative_to(ROOT)}: {path} has no {name} (near line {line})"
    for match in re.finditer(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
        if not (page.parent / match[1]).exists():
            yield f"{page.relative_to(ROOT)}: a link leads nowhere: {match[1]}"


def main():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [problem for page in pages for problem in problems(page)]
    print("\n".join(found) if found else f"{len(pages)} pages are right about the tree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
