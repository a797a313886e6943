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


def other_torch(folder):
    """What is wrong with a torch that the program cannot be linked to, by its own account; else nothing."""
    try:
        with open(os.path.join(folder, "version.py"), encoding="utf-8") as file:
            said = {name.split(":")[0].strip(): value.strip(" '\"\n") for name, _, value in (line.partition("=") for line in file)}
    except OSError:
        return "not whole"
    if not said.get("__version__", "2.11.").startswith("2.11."):
        return said["__version__"]
    cuda = said.get("cuda", "13.")
    return "" if cuda.startswith("13.") else "without CUDA" if cuda == "None" else f"for CUDA {cuda}"


def main():
    package = folder("stride", "install Stride's wheel again")
    program = os.path.join(package, "bin", "stride")
    if not os.path.exists(program):
        print(f"stride: there is no {program}; is a folder of Stride's sources on PYTHONPATH?", file=sys.stderr)
        raise SystemExit(3)
    advice = f"{sys.executable} -m pip install 'torch==2.11.*'"
    torch = folder("torch", advice)
    advice = advice.replace("install", "install --force-reinstall")
    wrong = other_torch(torch)
    if wrong:
        print(f"stride: the torch in {torch} is {wrong}, and this program needs PyPI's 2.11 with CUDA 13, without a GPU too: "
              f"{advice}", file=sys.stderr)
        raise SystemExit(3)
    site = os.path.dirname(torch)
    if site != os.path.dirname(package):
        places = [os.path.join(torch, "lib"), os.path.join(site, "nvidia", "cu13", "lib"), os.environ.get("LD_LIBRARY_PATH")]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, places))
    os.execv(program, sys.argv)


main()
