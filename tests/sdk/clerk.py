"""Types commands that come line by line as JSON, in one process: not each of them has to load everything anew."""

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from interlock.door.cli.main import main

for line in sys.stdin:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
