"""What several folders of tests share lies in tests/interop."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "interop"))
