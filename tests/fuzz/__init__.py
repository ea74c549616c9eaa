"""
Checks the laws that every framing obeys with the inputs of a fuzzer::

    python -m tests.fuzz

Without the fuzzer (atheris, one of the dependencies for development where it has a
wheel) a single input can still be checked.
"""
