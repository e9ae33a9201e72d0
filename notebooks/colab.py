"""Fetches the workbook onto an empty Colab machine: the first cell of a notebook downloads this file and calls it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path("workbook")
PAGE = re.compile(r"(https://github\.com/[\w.-]+/[\w.-]+)/blob/(.+)/notebooks/")


def fetch_workbook(page: str) -> None:
    """Clone the repository of `page` at its branch, and install it for this kernel.

    page: where the notebooks are on GitHub, https://github.com/NAME/REPOSITORY/blob/BRANCH/notebooks/.
    """
    repository, branch = PAGE.fullmatch(page).groups()
    if not FOLDER.exists():
        clone = ["git", "clone", "--quiet", "--depth=1", "--branch", branch, repository]
        subprocess.run([*clone, str(FOLDER)], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", str(FOLDER)], check=True)
    sys.path.insert(0, str(FOLDER.resolve()))  # what pip adds is seen by the next kernel only
