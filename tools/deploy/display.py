"""What the operator sees: a line per host that tells how far it is, and tables whose columns line up."""

import os
import shutil
import sys
import threading
import time

_RED, _GREEN, _PLAIN = "\033[31m", "\033[32m", "\033[0m"


def table(rows):
    """Pure: rows of cells, the header first, as text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


class Progress:
    """On a terminal each host's line is rewritten in place, and cut at its width; elsewhere each change is a line of its
    own. Any thread."""

    def __init__(self, names, out=sys.stderr):
        self._out, self._lock, self._began = out, threading.Lock(), time.monotonic()
        self._rewrites = out.isatty() and os.environ.get("TERM") != "dumb"
        self._has_color = out.isatty() and not os.environ.get("NO_COLOR")
        self._width = max(map(len, names), default=0)
        self._lines = {name: "" for name in names}
        self._shown = 0

    def say(self, name, text):
        self._set(name, "…", text)

    def done(self, name, text):
        self._set(name, "✓", f"{text} ({time.monotonic() - self._began:.1f} s)", _GREEN)

    def fail(self, name, text):
        self._set(name, "✗", text, _RED)

    def _set(self, name, mark, text, color=""):
        line = f"  {name.ljust(self._width)}  {mark} {text}"
        if self._rewrites:
            line = line[: shutil.get_terminal_size().columns - 1]
        if color and self._has_color:
            line = line.replace(mark, f"{color}{mark}{_PLAIN}", 1)
        with self._lock:
            self._lines[name] = line
            if not self._rewrites:
                print(line, file=self._out, flush=True)
                return
            up = f"\033[{self._shown}A" if self._shown else ""
            self._out.write(up + "".join(f"\033[2K{shown}\n" for shown in self._lines.values()))
            self._out.flush()
            self._shown = len(self._lines)
