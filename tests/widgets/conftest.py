"""Tests are no package: this is how those of this folder find browser.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
