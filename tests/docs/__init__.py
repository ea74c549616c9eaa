"""
Tests that run the documents, the examples and the benchmarks.
"""
