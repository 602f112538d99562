"""The configuration of Sphinx, which `make docs` builds the site with."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_extensions"), str(DOCS.parent)]

from fractalgan import __version__  # noqa: E402

project = "fractalgan"
author = "The fractalgan authors"
project_copyright = "The fractalgan authors, MIT license"
version = release = __version__

extensions = [
    "myst_nb",  # pages in Markdown, and notebooks, which the build executes
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "api_details",
    "mathml",
    "options",
    "repository_links",
]
exclude_patterns = [
    "_build",
    "_extensions",
    "README.md",  # part of index.md
    "**/.ipynb_checkpoints",
]
smartquotes = False  # -- of an option stays two dashes
nitpicky = True  # a reference that leads nowhere is a warning

# Markdown as on GitHub: anchors of headings, and $math$
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = [
    "myst.header",  # of pages that are included from a heading of the second level on
]

# Notebooks are committed without outputs
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / "notebooks")
nb_execution_in_temp = True
nb_execution_timeout = 300  # seconds per cell
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of Lightning's hooks
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"fractalgan {version}"
html_static_path = ["_static"]
html_css_files = ["fractalgan.css"]
html_math_renderer = "mathml"
html_theme_options = {"top_of_page_buttons": []}
