"""The interactive documentation of an HTTP service: one page without anything from the network, so it works offline.

OpenAPIConfig(..., path=DOCS_PATH, render_plugins=[OfflineDocsPage()])   # and DOCS_PATH/openapi.json
"""

from importlib.resources import files
from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

DOCS_PATH = "/docs"
"""Where every service has it; the page links to `openapi.json` below it."""

_MARK = b"/*OPENAPI*/null"


class OfflineDocsPage(OpenAPIRenderPlugin):
    """Shows every operation with a form that sends it."""

    def __init__(self) -> None:
        super().__init__(path="/", favicon="", style="")
        self._page = files("tradewind.operations").joinpath("docs_page.html").read_bytes()

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page with the description inside."""
        # "<" would let text of the description end the script element.
        description = self.render_json(request, openapi_schema).replace(b"<", b"\\u003c")
        return self._page.replace(_MARK, description)
