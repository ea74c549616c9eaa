"""
Measure the client, and compare it with other programs and with the fastest code that
can be written in Python.

Each table has a module of the same name: L{inbound}, L{framings}, L{outbound}, L{echo},
L{herd}, L{connections} and L{pipe}. They share L{measure} (workloads, rounds and
bounds), L{run} (the process of a competitor), L{show} and L{plot}.
"""
