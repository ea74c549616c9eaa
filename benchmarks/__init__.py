"""
What the client costs, against the limit of the language and against rivals.

A module for each table, which is called as it is: L{inbound}, L{framings}, L{outbound},
L{echo}, L{herd}, L{connections} and L{pipe}. What they share is in L{measure} (works,
rounds and bounds), L{run} (the process of a competitor), L{show} and L{plot}.
"""
