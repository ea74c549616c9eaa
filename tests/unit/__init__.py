"""
Tests of the package's modules without sockets: one file per module.
"""

from .. import _hypothesis as _hypothesis
