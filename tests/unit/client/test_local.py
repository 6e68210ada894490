"""--local where the server's package is missing: what to install is said."""

from __future__ import annotations

import os
from pathlib import Path

from ferryman.exit_codes import ExitCode

ROOT = Path(__file__).parents[3]


def test_without_the_server_extra_local_says_what_to_install(command, installed, tmp_path):
    (tmp_path / "ferryman_server").mkdir()
    (tmp_path / "ferryman_server" / "__init__.py").write_text("import a_library_that_nobody_has\n")

    path = os.pathsep.join(map(str, [tmp_path, installed, ROOT / "client"]))

    result = command("translate", "--local", "abc", PYTHONPATH=path)

    assert result.code == ExitCode.MISSING_EXTRA
    assert "pip install 'ferryman[server]'" in result.stderr
