"""
How Sphinx builds the manual page::

    $ sphinx-build -b man docs/man docs/man

C{docs/options.py} writes the page's source, and then does this.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from twisted_clienttcp import __version__

project = "twisted_clienttcp"
version = release = __version__
root_doc = "clienttcp"
man_pages = [(root_doc, "clienttcp", "a TCP client for the shell", [], 1)]

# The page is committed: it must not depend on the day.
today = " "
# An option begins with two hyphens, not with a dash.
smartquotes = False
