"""
How Sphinx builds the documents::

    $ sphinx-build -n -W docs docs/_build

The API pages beside them are pydoctor's, Twisted's own tool, which reads epytext. Both
take every doubtful reference for an error.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import inventory  # noqa: E402
from docutils.parsers.rst import directives  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402
from sphinx.directives.code import CodeBlock  # noqa: E402

from twisted_clienttcp import __version__  # noqa: E402

project = "twisted_clienttcp"
author = "the authors of twisted_clienttcp"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.intersphinx", "pydoctor.sphinx_ext.build_apidocs"]
exclude_patterns = ["_build", "man"]
nitpicky = True
highlight_language = "text"
pygments_style = "friendly"

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_title = f"twisted_clienttcp {release}"

pydoctor_args = [
    "--docformat=epytext",
    f"--project-name=twisted_clienttcp {release}",
    f"--project-base-dir={HERE.parent}",
    "--system-class=apidocs.Site",
    "--theme=base",
    f"--template-dir={HERE / 'apidocs'}",
    "--cls-member-order=source",
    "--html-output={outdir}/api",
    *inventory.arguments(HERE / "_build" / "inventories"),
    str(HERE.parent / "twisted_clienttcp"),
]
pydoctor_url_path = "api/"


def restoreCodeBlock(app: Sphinx) -> None:
    """
    Register Sphinx's C{code-block} again. pydoctor registers one of its own for all of
    docutils, which ignores the language and the caption.
    """
    directives.register_directive("code-block", CodeBlock)


def setup(app: Sphinx) -> None:
    # After pydoctor, which runs at 490.
    app.connect("builder-inited", restoreCodeBlock)
