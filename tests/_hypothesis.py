"""
Settings for property tests. The packages of tests import this module.
"""

from __future__ import annotations

from hypothesis import settings

# A deadline would make a test depend on the speed of the machine, and on its load.
settings.register_profile("tests", settings(deadline=None))
settings.load_profile("tests")
