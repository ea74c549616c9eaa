"""
Feeds every framing what a fuzzer thinks of, and checks what must hold for any octets,
however they are cut: C{python -m tests.fuzz}.

Without the fuzzer (atheris, one of the dependencies for development where there is a
wheel of it) an input can still be checked again.
"""
