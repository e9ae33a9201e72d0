"""Tests are no package: this is how those of this folder find browser.py. And the browser that they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser import find_browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    path = find_browser()
    if path is None:
        pytest.skip("needs a Chromium on PATH, or its path in DLVC_BROWSER")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
