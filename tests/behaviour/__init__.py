"""
Tests of behaviour through public names: one file per subject.
"""
