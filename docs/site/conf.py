"""Sphinx's settings of the site; docs/site/build.py lays the sources out and runs it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import docstrings  # noqa: E402
import links  # noqa: E402

project = "Stride"
author = "the Stride authors"
copyright = "the Stride authors; Apache-2.0"
html_title = "Stride"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_static"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(torch|numpy|np|pandas|pd|matplotlib|collections|typing|os|pathlib|PIL|stride\._\w+)\b.*|Seeds|Grid|Policy|Progress")]
show_warning_types = True

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 6
nb_execution_mode = "off"  # notebooks are shown as they were run: tests/notebooks runs them
nb_ipywidgets_js = {}      # nothing is fetched by a reader's browser

autodoc_typehints = "signature"
autodoc_member_order = "bysource"

maximum_signature_line_length = 100
autoclass_content = "both"

html_theme = "furo"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["style.css"]
html_js_files = ["sortable.js"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True, "footer_icons": []}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

def setup(app):
    app.add_transform(links.HeaderLinks)
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("env-check-consistency", docstrings.undocumented)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
