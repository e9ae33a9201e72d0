"""The browser that tests share, and one JupyterLab for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser import Lab, find_browser


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The Chromium to use; without one, or without playwright, the tests that want it are skipped."""
    pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
    path = find_browser()
    if path is None:
        pytest.skip("needs a Chromium on PATH, or its path in DLVC_BROWSER")
    return path


@pytest.fixture(
    scope="module"
)  # no longer: playwright's event loop would run on under all other tests
def chromium(browser_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with a folder of its own. Each file names its notebooks as no other does."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab
