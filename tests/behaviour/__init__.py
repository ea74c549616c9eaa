"""
Tests of behaviour through public names: one file per subject.
"""

from .. import _hypothesis as _hypothesis
