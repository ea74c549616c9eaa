"""
Scenarios recorded with Perl's C{POE::Component::Client::TCP}, run with this package
over real sockets. The traces are compared::

    python -m tests.conformance [FOLDER [NAME ...]]

Each file of C{golden/} is a scenario: the actions of the client (C{client}) and of its
peer (C{peer}), the calls of POE's callbacks with their arguments (C{trace}), and
whether POE was right (C{recommend}: "keep", or "fix" with C{correct}).

  - L{tests.conformance.client}: performs the actions of C{client} and writes our trace.
  - C{peer.py}: performs the actions of C{peer}, in a process of its own.
  - L{tests.conformance.rules}: how traces are compared, the rules by which ours may
    differ, and the scenarios that cannot be run.
  - C{expected/}: the right traces of scenarios in which POE is wrong.
  - L{tests.conformance.runner}: runs a scenario and compares the traces.
"""
