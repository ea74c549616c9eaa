"""
Attempts to connect: destinations and the connector.
"""
