"""Tests here start real engines; helpers of the whole suite stand one folder up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
