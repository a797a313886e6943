"""repair.py WHEEL FOLDER: takes the system libraries that WHEEL needs into it, by auditwheel's rules, with their licences,
and prints the path of the wheel made in FOLDER."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from auditwheel.wheeltools import InWheelCtx

# Torch's, what its wheel depends on, and the OpenMP runtime that it brings: a process has one.
OUTSIDE = ["libtorch*.so", "libc10*.so", "libcudart.so.*", "libnvrtc.so.*", "libgomp.so.1"]
# What is compiled into Stride's own library.
COMPILED_IN = ["libceres-dev", "libboost-program-options-dev", "libtomlplusplus-dev", "nlohmann-json3-dev", "librandom123-dev", "libxxhash-dev"]
DOCUMENTS = Path("/usr/share/doc")


def licences(content):
    """By package of the distribution, the text that it has of its licence."""
    boms = [json.loads(path.read_text()) for path in content.glob("*.dist-info/sboms/*.json")]
    urls = [part.get("purl", "") for bom in boms for part in bom["components"]]
    names = {unquote(found[1]) for found in (re.match(r"pkg:deb/[^/]+/([^@]+)@", url) for url in urls) if found}
    for name in sorted(names | set(COMPILED_IN)):
        text = DOCUMENTS / name / "copyright"
        if text.exists():
            yield name, text.read_bytes()


def main(wheel, folder):
    outside = [word for name in OUTSIDE for word in ("--exclude", name)]
    subprocess.run([sys.executable, "-m", "auditwheel", "repair", "-z", "1", "-w", folder, *outside, wheel], check=True, stdout=sys.stderr)
    (repaired,) = Path(folder).glob("*.whl")
    with InWheelCtx(repaired, repaired) as context:
        context.zip_compression_level = 9
        (information,) = Path(context.path).glob("*.dist-info")
        target = information / "licenses" / "libraries"
        target.mkdir(parents=True)
        for name, text in licences(Path(context.path)):
            (target / f"{name}.txt").write_bytes(text)
    print(repaired)


if __name__ == "__main__":
    main(*sys.argv[1:])
