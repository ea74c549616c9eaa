"""
Cases from the test suites of other projects, run with our framings::

    python -m tests.codec_cases [FILE ...]

Each file holds facts from one project (Netty, tokio-util, Erlang/OTP, AnyEvent): the
input and the output that it must produce, as a list of cases:

  - C{id}, C{from}: the name of the case, and the project.
  - C{framing}, C{params}: a name in L{twisted_clienttcp.framing}, and the arguments.
    Text is Latin-1: each character is one byte.
  - C{steps}: C{{"in": BYTES, "out": [...]}} (bytes received, and the records or errors
    that they must produce), C{{"end": true, "out": [...]}} (the end of the stream),
    C{{"put": RECORD, "wire": BYTES}} (a record sent), C{{"set": {...}}} (attributes
    changed in mid-stream). C{{"error": NAME}} stands for an exception of that class,
    C{"any"} for any exception.
  - C{note}: C{"late"}: the project reports an error when the record is complete, we
    report it at once. C{"sequenceOnly"}: only the order of the records matters.
  - C{differs}: why our result differs by design; C{ours}: that result, step by step.
  - C{inexpressible}: why the case cannot be expressed.
"""
