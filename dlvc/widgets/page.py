"""A widget as a page that holds all it needs: it runs from a file, in a saved notebook, without kernel or network.

Where a page may not run scripts, a picture of the widget with alternative text stands in its place.
"""

from __future__ import annotations

import base64
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
IMPORT = re.compile(r'^import .* from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=class|const|function)", re.MULTILINE)


@cache
def source(name: str) -> str:
    """The text of a script or style that lies in this folder or one below."""
    return next(HERE.rglob(name)).read_text(encoding="utf-8")


@cache
def module(name: str) -> str:
    """`name`.js and all it imports as one module, for hosts that load a single text."""
    names = [name]
    for importer in names:  # which grows by what they import
        names += IMPORT.findall(source(f"{importer}.js"))
    scripts = [
        source(f"{name}.js") for name in dict.fromkeys(reversed(names))
    ]  # imported ones first
    return "\n".join(EXPORT.sub("", IMPORT.sub("", script)) for script in scripts)


def json_for_script(value: Any) -> str:
    """`value` as JSON that a script element can hold: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page(widget: str, payload: Any, state: Any, *, title: str, picture: str = "") -> str:
    """The whole page of the widget whose module and style are `widget`.js and `widget`.css.

    `payload` and `state` are what the module's host hands it; `picture` is HTML for readers without scripts.
    """
    script = module(widget)
    if script.count("export default {") != 1:
        raise ValueError(
            f"{widget}.js must have one line 'export default {{' for its host to find."
        )
    script = script.replace("export default {", "const widget = {")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
:root {{ color-scheme: light dark; }}
:root[data-theme="light"] {{ color-scheme: light; }}
:root[data-theme="dark"] {{ color-scheme: dark; }}
body {{ margin: 0; background: light-dark(#ffffff, #161616); }}
{source(f"{widget}.css")}</style>
</head>
<body>
<main><div id="dlvc-root"></div></main>
<noscript>{picture}</noscript>
<script type="application/json" id="dlvc-payload">{json_for_script(payload)}</script>
<script type="application/json" id="dlvc-state">{json_for_script(state)}</script>
<script type="module">
{script}
{source("page.js")}</script>
</body>
</html>
"""


def figure(png: bytes, caption: str, *, width: int) -> str:
    """A picture as HTML, with its caption as alternative text too."""
    address = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    alternative = html.escape(caption, quote=True)
    return f'<img src="{address}" alt="{alternative}" width="{width}" style="max-width:100%">'


def frame(document: str, picture: str, *, title: str, height: int) -> str:
    """A page in a frame that covers `picture`: where the frame is removed, the picture is seen."""
    cell = "grid-area:1/1"
    return (
        f'<div style="display:grid"><div style="{cell}">{picture}</div>'
        f'<iframe srcdoc="{html.escape(document, quote=True)}" title="{html.escape(title, quote=True)}" '
        f'style="{cell};width:100%;height:{height}px;min-height:100%;border:0;background:Canvas"></iframe></div>'
    )
