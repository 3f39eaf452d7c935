"""Our server as `isthmus serve` runs it, but for one bound: clients may ask for 1,000 rows a page.

Operation L needs that; all else is the whole product, with its settings from the environment.
"""

import sys
from typing import Any

from app import server
from app.cli.serve import run_server
from app.graphql.context import Context

LARGEST_PAGE = 1000
_context = server._context


def _roomy(*given: Any) -> Context:
    context = _context(*given)
    context.max_page = LARGEST_PAGE
    return context


if __name__ == "__main__":
    server._context = _roomy
    run_server("127.0.0.1", [int(sys.argv[1])])
