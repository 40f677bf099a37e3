"""Text in requests: composed (NFC), without control characters and invisible ones.

See https://www.unicode.org/reports/tr15/ (NFC) and
https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
"""

from __future__ import annotations

import re
import unicodedata

# Invisible letters and symbols, in addition to the categories of separators, controls and marks.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_INVISIBLE = {"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"}

# Regular expressions of ECMA-262, for the OpenAPI document, and of Python. They list characters, because
# Unicode tables differ between versions of Python. They cannot express visibility, or characters beyond
# U+FFFF, for which the two languages have different syntax.
_CONTROLS = r"\u0000-\u001f\u007f-\u009f"
_BREAKS = r"\u2028\u2029"
_SPACES = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_PRINTED = rf"[^{_CONTROLS}{_SPACES}]"
# Format characters, Hangul's fillers and the combining grapheme joiner; also joiners and variation selectors
# where no script or emoji needs them: at the start, or after letters of Latin, Greek or Cyrillic.
_LATIN = r"\u1e00-\u1fff\u2000-\u203b\u203d-\u2048\u204a-\u206f\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f"
_UNMODIFIED = rf"\u0000-\u0022\u0024-\u0029\u002b-\u002f\u003a-\u00a8\u00aa-\u00ad\u00af-\u058f{_LATIN}"
_HIDDEN = (
    r"[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]"
    rf"|(?:^|[\u0000-\u058f{_LATIN}])[\u200c\u200d]|(?:^|[{_UNMODIFIED}])[\u180b-\u180d\u180f\ufe00-\ufe0f]"
)
HIDDEN_BEYOND = (
    "[\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    rf"|(?:^|[{_UNMODIFIED}])["
    "\U000e0100-\U000e01ef]"
)

PRINTABLE = rf"^[^{_CONTROLS}{_BREAKS}]*$"
TRIMMED_LINE = (
    rf"^(?![\s\S]*(?:{_HIDDEN}))[{_SPACES}]*{_PRINTED}([^{_CONTROLS}{_BREAKS}]*{_PRINTED})?[{_SPACES}]*$"
)
"""One line with a visible character; white space around it is dropped."""
MANY_LINES = rf"^(?![\s\S]*(?:{_HIDDEN}))[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"


def composed(text: str) -> str:
    """Compose a text (NFC), so that equal text compares equal, however it was typed."""
    return unicodedata.normalize("NFC", text)


def printable(text: str) -> str:
    """Check a text of one line.

    Raises:
        ValueError: it has control characters or line breaks.
    """
    return _without(rf"[{_CONTROLS}{_BREAKS}]", text)


def one_line(text: str) -> str:
    """Check a line of text that must not look like another one.

    Raises:
        ValueError: it has control characters, line breaks or invisible characters.
    """
    return _without(rf"{_HIDDEN}|{HIDDEN_BEYOND}", printable(text))


def many_lines(text: str) -> str:
    """Check a text that may have tabs and line breaks.

    Raises:
        ValueError: it has other control characters, or invisible ones.
    """
    return _without(rf"(?![\t\n\r])[{_CONTROLS}]|{_HIDDEN}|{HIDDEN_BEYOND}", text)


def visible(text: str) -> str:
    """Check that a text has a visible character.

    Raises:
        ValueError: it has no visible character.
    """
    if not any(unicodedata.category(each) not in _INVISIBLE and each not in _BLANK for each in text):
        raise ValueError("Text should have at least one visible character")
    return text


def _without(pattern: str, text: str) -> str:
    if found := re.search(pattern, text):
        unwanted = ord(found[0][-1])
        raise ValueError(f"Text should have no control or invisible characters, such as U+{unwanted:04X}")
    return text
