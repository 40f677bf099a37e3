"""Cursors: a place in the list as text, and back."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from shared.api.paging import from_cursor, to_cursor
from shared.tasks.task import Position


@given(position=st.builds(Position, st.integers(0, 10**17), st.uuids().map(str)))
def test_a_cursor_leads_back_to_its_place(position: Position) -> None:
    assert from_cursor(to_cursor(position)) == position


@given(text=st.text(max_size=80))
@example("")
@example("====")
@example("MTIzL2Fi")
def test_what_is_no_cursor_is_refused(text: str) -> None:
    try:
        position = from_cursor(text)
    except ValueError:
        return
    assert from_cursor(to_cursor(position)) == position
