"""Files out of a wheel of the package index: nothing is installed, nothing in it is run."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .errors import ExportError


def member(requirement, name, sha256, wheel=None):
    """The bytes of one file of a wheel: the one given, or one that pip fetches into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                       "--only-binary=:all:", "--dest", folder, requirement]
            if subprocess.run(command).returncode != 0:
                raise ExportError(f"pip could not fetch {requirement}; give its wheel by --wheel")
            wheel = next(Path(folder).glob("*.whl"))
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ExportError(f"{wheel}: is no wheel that holds {name}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ExportError(f"{name}: has SHA-256 {found}, expected {sha256}: another file than the one known")
    return content
