"""A program's --help, as the man pages and the tests of the packages read it."""

import re
import subprocess

TEXT_COLUMN = 30  # of what is said of an item


class Item:
    """An option, positional or subcommand: what is typed, and what it says."""

    def __init__(self, term):
        self.term, self.words = term, []

    @property
    def text(self):
        return " ".join(self.words)

    @property
    def flags(self):
        return self.term.split(" ")[0].split(",") if self.term.startswith("-") else []


class Help:
    """`sections`: the items under each heading that has some, such as "Options", "Limits" and "Subcommands"."""

    def __init__(self, program, *subcommands):
        self.text = subprocess.run([program, *subcommands, "--help"], capture_output=True, text=True, check=True,
                                   timeout=30).stdout
        self.usage = re.search(r"^Usage: (.*)$", self.text, re.M)[1]
        self.sections = _sections(self.text.split("\nUsage: ", 1)[1])

    def items(self, *headings):
        return [item for heading, items in self.sections.items() if not headings or heading in headings for item in items]

    def flags(self):
        return [flag for item in self.items() for flag in item.flags]

    def subcommands(self):
        return [item.term for item in self.items("Subcommands")]


def _sections(text):
    sections, current = {}, None
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""]):
        if heading := re.fullmatch(r"([A-Z]\w+):", line):
            current = None if heading[1] == "Examples" else sections.setdefault(heading[1], [])
        elif line and line[0] != " ":
            current = None
        elif current is not None and line.strip():
            _add(current, line, after)
    return sections


def _indent(line):
    return len(line) - len(line.lstrip())


def _add(items, line, after):
    if _indent(line) >= TEXT_COLUMN:
        items[-1].words.append(line.strip())
        return
    wide = "  " not in line.strip() and _indent(after) >= TEXT_COLUMN  # its text has the next line
    split = len(line) if wide else TEXT_COLUMN
    items.append(Item(line[:split].strip()))
    if text := line[split:].strip():
        items[-1].words.append(text)


def tree(program, path=()):
    """The help of the program and of every subcommand below, by its path."""
    found = {path: Help(program, *path)}
    for name in found[path].subcommands():
        found |= tree(program, (*path, name))
    return found
