"""Writes pipeline/familiar/diffusers_defaults.def: the defaults of the constructors of diffusers' schedulers.

    with_oracles tests/tools/diffusers_defaults.py            prints the table
    with_oracles tests/tools/diffusers_defaults.py --check    compares it with the committed one

A row names a class and the defaults of its constructor's arguments, as text: null, true, false, numbers, words, [].
"""

import inspect
import sys
from pathlib import Path

import diffusers

TABLE = Path(__file__).parents[2] / "pipeline" / "familiar" / "diffusers_defaults.def"
CLASSES = """
DDIMParallelScheduler DDIMScheduler DDPMParallelScheduler DDPMScheduler DEISMultistepScheduler
DPMSolverMultistepScheduler DPMSolverSDEScheduler DPMSolverSinglestepScheduler EDMDPMSolverMultistepScheduler
EDMEulerScheduler EulerAncestralDiscreteScheduler EulerDiscreteScheduler FlowMatchEulerDiscreteScheduler
HeunDiscreteScheduler KDPM2AncestralDiscreteScheduler KDPM2DiscreteScheduler LCMScheduler LMSDiscreteScheduler
PNDMScheduler SASolverScheduler TCDScheduler UniPCMultistepScheduler
""".split()


def text(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def table() -> str:
    out = "// Written by tests/tools/diffusers_defaults.py from the constructors of diffusers %s.\n" % diffusers.__version__
    for name in CLASSES:
        arguments = inspect.signature(getattr(diffusers, name).__init__).parameters
        pairs = ['{"%s", "%s"}' % (a, text(p.default)) for a, p in sorted(arguments.items()) if a != "self"]
        out += '{"%s",\n {%s}},\n' % (name, ",\n  ".join(pairs))
    return out


if __name__ == "__main__":
    if "--check" not in sys.argv:
        print(table(), end="")
        sys.exit(0)
    if TABLE.read_text() != table():
        print("FAIL %s is not what the constructors say: run tests/tools/diffusers_defaults.py" % TABLE.name)
        sys.exit(1)
    print("ok   %s: %d classes of diffusers %s" % (TABLE.name, len(CLASSES), diffusers.__version__))
