"""
One connection: input, output, negotiation and liveness.
"""
