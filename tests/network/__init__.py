"""
Tests that need network namespaces, or servers from other projects.
"""
