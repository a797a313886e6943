"""The build backend of pyproject.toml. It builds as the scripts do, in the environment that they make and share
(docs/building.md): torch and the CUDA toolkit are not fetched again, and nothing is compiled twice. scikit-build-core
packs what came of it."""

import os
import subprocess
import sys
from pathlib import Path

from scikit_build_core import build as scikit
from scikit_build_core.build import (
    build_sdist, get_requires_for_build_sdist, get_requires_for_build_wheel, prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_sdist", "build_wheel", "get_requires_for_build_sdist", "get_requires_for_build_wheel", "prepare_metadata_for_build_wheel",
]

ROOT = Path(__file__).resolve().parents[2]
BUILD = r"""
set -euo pipefail
. scripts/lib/build.sh
stride_expect_system_packages
STRIDE_SKIP_PACKAGES=1 stride_environment
preset=${STRIDE_PRESET:-dev}
stride_configure "$preset"
# For another CPython than the build's its extension is compiled apart.
python=$1
version='import sys; print(*sys.version_info[:2])'
[ "$("$python" -c "$version")" != "$("$STRIDE_VENV/bin/python" -c "$version")" ] || python=
if ! grep -qx "STRIDE_WHEEL_PYTHON:FILEPATH=$python" "build/$preset/CMakeCache.txt"; then
  cmake "-DSTRIDE_WHEEL_PYTHON:FILEPATH=$python" "build/$preset"
fi
stride_build "$preset" stride_wheel
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    done = subprocess.run(["bash", "-c", BUILD, "build", sys.executable], cwd=ROOT, stdout=sys.stderr)
    if done.returncode != 0:
        sys.exit(done.returncode)
    os.environ["STRIDE_BUILD"] = str(ROOT / "build" / os.environ.get("STRIDE_PRESET", "dev"))
    return scikit.build_wheel(wheel_directory, config_settings, metadata_directory)
