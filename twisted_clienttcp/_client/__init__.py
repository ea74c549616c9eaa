"""
The client: configuration, lifecycle and callbacks.
"""
