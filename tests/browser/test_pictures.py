"""The board still looks like its picture in the README."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from tests.local_stack import Stack
from tests.optional import needs_chromium
from tests.pictures import PICTURES, draw_board

pytestmark = needs_chromium

DIFFERENCE = """async pictures => {
  const [one, another] = await Promise.all(pictures.map(async picture => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const context = new OffscreenCanvas(70, 40).getContext('2d');
    context.drawImage(image, 0, 0, 70, 40);
    return context.getImageData(0, 0, 70, 40).data;
  }));
  return one.reduce((sum, value, index) => sum + Math.abs(value - another[index]), 0) / one.length / 255;
}"""
"""Mean difference of two pictures, from 0 to 1. Both are scaled down, so fonts and dates hardly matter."""


def test_the_picture_of_the_board_is_true(
    browser: Browser, start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    draw_board(browser, start_stack("--no-state"), tmp_path / "board.png")
    paths = (PICTURES / "board.png", tmp_path / "board.png")
    pictures = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    difference = browser.new_page().evaluate(DIFFERENCE, pictures)
    assert difference < 0.015, "the board looks different: run `make pictures`"
