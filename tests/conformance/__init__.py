"""
The original against ours: scenarios recorded with Perl's C{POE::Component::Client::TCP}
are run with this package, over real sockets, and the traces compared::

    python -m tests.conformance [FOLDER [NAME ...]]

Each file of C{golden/} is a scenario: what the client does (C{client}), what its peer
does (C{peer}), what the original's callbacks were called with (C{trace}), and whether
the original was right (C{recommend}: "keep" or "fix", and then C{correct}).

  - L{tests.conformance.client}: does what C{client} says, and writes our trace.
  - C{peer.py}: does what C{peer} says, in a process of its own.
  - L{tests.conformance.rules}: how traces are compared; every rule by which ours may
    be another one, and the scenarios that cannot be run.
  - C{expected/}: for scenarios where the original is wrong, the right trace.
  - L{tests.conformance.runner}: runs a scenario and judges it.
"""
