"""A reader of protobuf's text format, for the few fields of the fleet file that deploying needs.

It knows the grammar, not the schema: `cdnctl config check` has approved the file before. Each field remembers where in the
text it stands, so that a setting can be replaced and the rest, comments included, stay as they were written.
"""

import dataclasses
import re

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[-+.\w]+)
      | (?P<mark>[{}<>\[\]:;,])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}
_CLOSING = {"{": "}", "<": ">"}


@dataclasses.dataclass
class Field:
    name: str
    value: "str | list[Field]"  # of a scalar, without quotes; or a message's fields
    start: int  # of the whole field in the text
    value_start: int
    end: int


def parse(text):
    """The fields of the file. ValueError, with line and column, when it is no text format."""
    return _Parser(text).message(None)


def of(fields, name):
    """The values of all fields of this name."""
    return [f.value for f in fields if f.name == name]


def first(fields, name, default=""):
    return next(iter(of(fields, name)), default)


def quote(value):
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def splice(text, changes):
    """The text with each (start, end, replacement) made."""
    for start, end, replacement in sorted(changes, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _unescape(match):
    what = match[1]
    if what[0] == "x" and len(what) > 1:
        return chr(int(what[1:], 16))
    if what[0] in "01234567":
        return chr(int(what, 8))
    return _LETTERS.get(what, what)


class _Parser:
    def __init__(self, text):
        self._text, self._tokens, self._next = text, [], 0
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise self._error(at, f"unexpected {text[at]!r}")
            at = match.end()
            if match.lastgroup != "blank":
                self._tokens.append((match.lastgroup, match.group(), match.start(), match.end()))
        self._tokens.append(("end", "", len(text), len(text)))

    def _error(self, at, what):
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        return ValueError(f"{line}:{column}: {what}")

    def _peek(self):
        return self._tokens[self._next]

    def _take(self, *allowed):
        kind, text, start, end = self._peek()
        if allowed and text not in allowed and kind not in allowed:
            raise self._error(start, f"expected {' or '.join(allowed)}, not {text!r}")
        self._next += 1
        return kind, text, start, end

    def message(self, closing):
        fields = []
        while self._peek()[1] != closing and not (closing is None and self._peek()[0] == "end"):
            fields += self._field()
            if self._peek()[1] in (";", ","):
                self._take()
        return fields

    def _field(self):
        _, name, start, _ = self._take("word")
        if self._peek()[1] == ":":
            self._take()
        if self._peek()[1] == "[":
            self._take()
            found = []
            while self._peek()[1] != "]":
                found.append(self._value(name, self._peek()[2]))
                if self._peek()[1] == ",":
                    self._take()
            self._take("]")
            return found
        return [self._value(name, start)]

    def _value(self, name, start):
        kind, text, at, end = self._take("string", "word", "{", "<")
        if text in _CLOSING and kind == "mark":
            fields = self.message(_CLOSING[text])
            end = self._take(_CLOSING[text])[3]
            return Field(name, fields, start, at, end)
        if kind == "word":
            return Field(name, text, start, at, end)
        parts = [text]
        while self._peek()[0] == "string":
            _, more, _, end = self._take()
            parts.append(more)
        return Field(name, "".join(_ESCAPE.sub(_unescape, p[1:-1]) for p in parts), start, at, end)
