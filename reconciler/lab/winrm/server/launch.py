"""Becomes ``__main__.py`` of the endpoint's folder on a lab host, beside the code and the libraries it needs."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

if __name__ == "__main__":
    try:
        from reconciler.lab.winrm.server.main import main

        main(sys.argv[1:])
    except Exception:
        # Its standard error goes nowhere: who started it reads this.
        Path(sys.argv[0], "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
        raise
