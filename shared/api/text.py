"""Text that requests may have: composed (NFC), without control characters.

See https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

import unicodedata

_LINE_BREAKS_AND_TABS = "\t\n\r"
# Letters and symbols that show nothing, besides the categories of separators, controls and marks.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_INVISIBLE = {"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"}

# Regular expressions of ECMA-262, for the OpenAPI document; they cannot say which characters are visible.
_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
_BREAKS = r"\u2028\u2029"
_SPACES = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_PRINTED = rf"[^{_CONTROLS}{_SPACES}]"
TRIMMED_LINE = rf"^[{_SPACES}]*{_PRINTED}([^{_CONTROLS}{_BREAKS}]*{_PRINTED})?[{_SPACES}]*$"
"""One line that shows something; the white space around it counts for nothing."""
ONE_LINE = rf"^[^{_CONTROLS}{_BREAKS}]*$"
MANY_LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"


def composed(text: str) -> str:
    """Compose a text (NFC), so that it is one text however it was typed."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """Check a text of one line.

    Raises:
        ValueError: it has control characters or line breaks.
    """
    return _without(text, {"Cc", "Zl", "Zp"})


def many_lines(text: str) -> str:
    """Check a text that may have tabs and line breaks.

    Raises:
        ValueError: it has other control characters.
    """
    _without(text.translate(dict.fromkeys(map(ord, _LINE_BREAKS_AND_TABS))), {"Cc"})
    return text


def visible(text: str) -> str:
    """Check that a text shows something.

    Raises:
        ValueError: it has no visible character.
    """
    if not any(unicodedata.category(each) not in _INVISIBLE and each not in _BLANK for each in text):
        raise ValueError("Text should have at least one visible character")
    return text


def _without(text: str, categories: set[str]) -> str:
    for character in text:
        if unicodedata.category(character) in categories:
            raise ValueError(f"Text should have no control characters, such as U+{ord(character):04X}")
    return text
