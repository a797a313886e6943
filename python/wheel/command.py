#!python
"""The command `stride`: becomes the program in the package stride, which finds torch's libraries beside the package, or
else is told where this Python has them."""

import importlib.util
import os
import sys


def folder(package, advice):
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        print(f"stride: {sys.executable} has no package {package}: {advice}", file=sys.stderr)
        raise SystemExit(3)
    return next(iter(found.submodule_search_locations))


def main():
    package = folder("stride", "install Stride's wheel again")
    program = os.path.join(package, "bin", "stride")
    if not os.path.exists(program):
        print(f"stride: there is no {program}; is a folder of Stride's sources on PYTHONPATH?", file=sys.stderr)
        raise SystemExit(3)
    advice = f"{sys.executable} -m pip install 'torch==2.11.*'"
    torch = folder("torch", advice)
    if not os.path.exists(os.path.join(torch, "lib", "libtorch_cuda.so")):
        print(f"stride: the torch in {torch} is one without CUDA, and this program needs PyPI's, on machines without a GPU "
              f"too: {advice}", file=sys.stderr)
        raise SystemExit(3)
    site = os.path.dirname(torch)
    if site != os.path.dirname(package):
        places = [os.path.join(torch, "lib"), os.path.join(site, "nvidia", "cu13", "lib"), os.environ.get("LD_LIBRARY_PATH")]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, places))
    os.execv(program, sys.argv)


main()
