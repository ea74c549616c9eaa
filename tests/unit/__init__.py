"""
Tests of the package's modules without sockets: one file per module.
"""
