"""
The original's filters against our framings: cases recorded with Perl's
C{POE::Filter::*} are run with this package, and the results compared::

    python -m tests.filter_cases [FILE]

Each case of C{filter_cases.json} is a request (a filter, its arguments, and what is
read or put), the reply of the original, and what is right where the original is not
(C{correct}, if C{recommend} is "fix").

  - L{tests.filter_cases.filters}: which framing stands for which filter.
  - L{tests.filter_cases.runner}: does what a request says, with our framings.
  - L{tests.filter_cases.rules}: what is expected; every rule by which ours may be
    another result, and the cases that cannot be run.
  - C{filter_oracle.pl}: answers requests with the original, a line of JSON each.
  - L{tests.filter_cases.oracle}: asks it.
"""
