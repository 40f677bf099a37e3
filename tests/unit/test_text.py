"""Text of requests: texts that look the same are the same."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.api.text import HIDDEN_BEYOND, MANY_LINES, TRIMMED_LINE, composed, many_lines, one_line

NEEDED = [
    "क्‍ष",  # Hindi, with a zero-width joiner
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪",
    "❤️‍🔥",
    "#️⃣ 1️⃣ ©️",
    "葛󠄀城市",  # a variant of a name's character
    "ᠭᠣᠯ᠋",
    "שָׁלוֹם Ωμέγα Й",
]
HIDDEN = [
    "\u200b",
    "\u00ad",
    "\ufeff",
    "\u202e",
    "\u2060",
    "\u200e",
    "\u034f",
    "\u3164",
    "\U000e0061",
    "\U0001d173",
]
JOINERS = ["\u200c", "\u200d"]


@pytest.mark.parametrize("text", NEEDED)
def test_joiners_of_scripts_and_emoji_are_accepted(text: str) -> None:
    assert one_line(composed(text)) == many_lines(composed(text)) == composed(text)
    assert re.search(TRIMMED_LINE, composed(text))


@pytest.mark.parametrize("check", [one_line, many_lines])
@pytest.mark.parametrize("hidden", [*HIDDEN, *JOINERS, "\ufe0f"], ids=ascii)
@pytest.mark.parametrize("text", ["x{}", "{}x", "x{}y", " {}", "ж{}ж"])
def test_invisible_characters_are_refused_with_their_code_point(
    check: object, hidden: str, text: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"U+{ord(hidden):04X}")):
        check(text.format(hidden))  # type: ignore[operator]


def test_format_characters_cannot_disguise_a_duplicate_title() -> None:
    formats = (chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf")
    assert [each for each in formats if is_accepted(f"漢{each}")] == JOINERS


def is_accepted(text: str) -> bool:
    try:
        one_line(text)
    except ValueError:
        return False
    return True


SPACE = r"(?![\x1c-\x1f])\s"  # Unicode's white space; Python's has four more characters
characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    [*HIDDEN, *JOINERS, "\n", "\t", "\x7f"]
)


@given(st.text(characters))
def test_the_document_describes_valid_text(text: str) -> None:
    assume(not re.search(HIDDEN_BEYOND, text))  # the pattern cannot name these characters
    line = re.sub(rf"^(?:{SPACE})+|(?:{SPACE})+$", "", text)
    assert is_accepted(line) == bool(re.search(TRIMMED_LINE, text)) or not line
    try:
        many_lines(text)
    except ValueError:
        assert not re.search(MANY_LINES, text)
    else:
        assert re.search(MANY_LINES, text)
