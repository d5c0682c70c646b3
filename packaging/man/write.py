#!/usr/bin/python3
"""Brings the options and commands of the man pages in step with what --help of the programs says.

usage: packaging/man/write.py FOLDER-OF-PROGRAMS

What stands between the two marks of a page is written anew; the rest of it is written by hand.
"""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
import program_help  # noqa: E402

BEGIN, END = '.\\" From --help, by packaging/man/write.py:\n', '.\\" End of what is from --help.\n'
TITLES = {"Options": "OPTIONS", "Limits": "LIMITS", "Positionals": "ARGUMENTS"}


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def items(found):
    return "".join(f".TP\n.B {escape(item.term)}\n{escape(item.text)}\n" for item in found)


def without_help(found):
    return [item for item in found if "--help" not in item.flags]


def command(name, page):
    arguments = page.usage.split(name, 1)[1].replace("[OPTIONS]", "").strip()
    text = f".SS {escape(name)} {escape(arguments)}".rstrip() + "\n" + escape(page.text.splitlines()[0]) + "\n"
    return text + items(without_help(page.items()))


def generated(program):
    """The sections of one program: its options, and each of its commands."""
    pages = program_help.tree(program)
    top = pages.pop(())
    text = "".join(f".SH {TITLES[name]}\n{items(found)}" for name, found in top.sections.items() if name in TITLES)
    leaves = {path: page for path, page in pages.items() if not page.subcommands()}
    if leaves:
        text += ".SH COMMANDS\n" + "".join(command(" ".join(path), page) for path, page in leaves.items())
    return text


def renewed(page, program):
    """The text of `page` with what `program` says now."""
    before, rest = page.read_text().split(BEGIN)
    return before + BEGIN + generated(program) + END + rest.split(END)[1]


def pages():
    return sorted(page for page in FOLDER.iterdir() if page.suffix in (".1", ".8"))


if __name__ == "__main__":
    for each in pages():
        each.write_text(renewed(each, pathlib.Path(sys.argv[1]) / each.stem))
