"""
Recorded cases of Perl's C{POE::Filter::*}, run with the framings of this package. The
results are compared::

    python -m tests.filter_cases [FILE]

Each case in C{filter_cases.json} is a request (a filter, its arguments, and the data to
read or put), the reply of POE, and the right result if POE's is wrong (C{correct}, if
C{recommend} is "fix").

  - L{tests.filter_cases.filters}: the framing for each filter.
  - L{tests.filter_cases.runner}: runs a request with our framings.
  - L{tests.filter_cases.rules}: the expected results, the rules by which ours may
    differ, and the cases that cannot be run.
  - C{filter_oracle.pl}: answers requests with POE, one line of JSON each.
  - L{tests.filter_cases.oracle}: sends requests to it.
"""
