"""``ferryman`` with a model whose steps take as long as they are told to, or fail.

    python changed_server.py STEP_SECONDS FAULT_FILE serve ...

Every decode step takes STEP_SECONDS, whatever the batch: so the capacity of the server is known
and does not depend on the machine, on which the load generator runs too. While FAULT_FILE has a
word in it, steps fail: ``once`` the next one does, ``always`` each, and ``stuck`` does not end.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from ferryman.command import main
from ferryman_server.runtime.decoder import OnnxDecoder

step = OnnxDecoder.step
lock = threading.Lock()


def fail(file: Path) -> None:
    with lock:
        fault = file.read_text() if file.exists() else ""
        if fault == "once":
            file.unlink()
    if fault == "stuck":
        threading.Event().wait()
    if fault:
        raise RuntimeError("the device is gone")


def changed(seconds: float, file: Path):
    def changed_step(self, candidates):
        end = time.monotonic() + seconds
        fail(file)
        found = step(self, candidates)
        time.sleep(max(0.0, end - time.monotonic()))
        return found

    return changed_step


if __name__ == "__main__":
    OnnxDecoder.step = changed(float(sys.argv[1]), Path(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
