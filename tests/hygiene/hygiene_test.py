"""Runs the checks on the tree, and each check on a small tree with one fault planted: a check that finds nothing
there would find nothing anywhere."""

import sys
import tempfile
import unittest
from pathlib import Path

import checks

ROOT = Path(__file__).resolve().parents[2]

PLANT = """from typing import NamedTuple
class Fault(NamedTuple):
    name: str
    file: str
    find: str
FAULTS = [Fault("lost", "{}", "{}")]
"""
EXAMPLE = "// Text.\nint main() {\n  return 0;\n}\n"


def architecture_page(chains=None, rooms=("framework", "solvers", "solvers/methods", "tests", "examples", "apps", "apps/commands")):
    if chains is None:
        chains = [f"{a} ──> {b}" for a, targets in checks.ARROWS.items() for b in targets if a != b]
    return "\n".join(["```", *chains, "```", *(f"| `{room}/` | its idea |" for room in rooms)]) + "\n"


CLEAN = {
    "apps/b.h": "#pragma once\n",
    "apps/commands/b.h": "#pragma once\n",
    "framework/a.h": "#pragma once\n",
    "framework/a.cpp": '#include "framework/a.h"\n',
    "solvers/solvers.def": "STRIDE_SOLVER(euler)\n",
    "solvers/methods/euler.cpp": '#include "framework/a.h"\nSolverEntry solver_euler() {}\n',
    "tests/catch_torch.h": "#pragma once\n#include <catch2/catch.hpp>\n",
    "docs/a.md": "Set `STRIDE_CACHE`; the default is $HOME/.cache/stride.\n",
    "docs/b.md": f"<!-- source: examples/a.cpp -->\n```cpp\n{EXAMPLE}```\n<!-- source: examples/a.cpp main -->\n```cpp\n{EXAMPLE[9:]}```\n",
    "examples/a.cpp": EXAMPLE,
    "docs/architecture.md": architecture_page(),
}

# check, file, content, a part of the message
FAULTS = [
    ("layering", "framework/a.cpp", '#include "solvers/plan.h"\n', "does not exist"),
    ("layering", "framework/b.cpp", '#include "apps/b.h"\n', "back edge"),
    ("layering", "framework/b.cpp", '#include "a.h"\n', "folder/file.h"),
    ("layering", "solvers/b.cpp", '#include "neural/b.h"\n', "does not exist"),
    ("layering", "apps/cli/b.cpp", '#include "apps/commands/b.h"\n', "back edge in apps/"),
    ("rooms", "apps/cli/long.cpp", "\n" * 9001, "more than 9000"),
    ("rooms", "framework/a/b/c.h", "#pragma once\n", "one level"),
    ("flags", "solvers/b.cpp", 'throw Error("leave --steps out");\n', "--steps"),
    ("flags", "pipeline/b.cpp", "return ExitCode::usage;\n", "ExitCode"),
    ("confinement", "pipeline/a.cpp", "#include <boost/program_options.hpp>\n", "command line"),
    ("confinement", "framework/a.cpp", "#include <torch/torch.h>\n", "15 s"),
    ("confinement", "adaptive/fit.cpp", "#include <ceres/ceres.h>\n", "macros"),
    ("confinement", "framework/a.cpp", "#include <hdf5.h>\n", "datasets"),
    ("confinement", "framework/a.cpp", "  #  include <toml++/toml.h>\n", "apps"),
    ("confinement", "tests/framework/a_test.cpp", "#include <catch2/catch.hpp>\n", "catch_torch.h"),
    ("confinement", "framework/b.h", "#pragma once\n#include <ATen/ATen.h>\n", "public header"),
    ("headers", "framework/b.h", "int a;\n", "pragma"),
    ("length", "framework/b.cpp", "\n" * 501, "501 lines"),
    ("length", "examples/b.cpp", "\n" * 40, "at most 39"),
    ("solver_list", "solvers/methods/heun.cpp", "SolverEntry solver_heun() {}\n", "does not list"),
    ("solver_list", "solvers/solvers.def", "STRIDE_SOLVER(euler)\nSTRIDE_SOLVER(heun)\n", "no solvers/methods/heun.cpp"),
    ("solver_list", "solvers/solvers.def", "STRIDE_SOLVER(euler)\nSTRIDE_SOLVER(euler)\n", "twice"),
    ("snippets", "examples/a.cpp", EXAMPLE.replace("// Text", "// Other text"), "differs from examples/a.cpp"),
    ("snippets", "docs/a.md", "<!-- source: examples/a.cpp maim -->\n```cpp\n```\n", "has no maim"),
    ("snippets", "docs/a.md", "<!-- source: examples/b.cpp -->\n```cpp\n```\n", "not there"),
    ("snippets", "docs/a.md", "<!-- source: examples/a.cpp -->\n", "no fenced block"),
    ("architecture", "docs/architecture.md", architecture_page() + "framework ──> solvers\n", "draws framework ──> solvers"),
    ("architecture", "docs/architecture.md", architecture_page().replace("neural ──> datasets\n", ""), "does not draw neural ──> datasets"),
    ("architecture", "framework/noise/a.h", "#pragma once\n", "lacks framework/noise/"),
    ("architecture", "docs/architecture.md", architecture_page() + "| `framework/nose/` | no idea |\n", "has framework/nose/"),
    ("planted", "scripts/plant-faults", PLANT.format("framework/a.cpp", "no such text"), "found 0 times"),
    ("planted", "scripts/plant-faults", PLANT.format("framework/c.cpp", "a"), "found 0 times"),
    ("planted", "scripts/plant-faults", PLANT.format("framework/a.cpp", "[ae]"), "found 4 times"),
    ("machine_paths", "docs/c.md", "see /ho" + "me/ada/stride\n", "one machine"),
    ("machine_paths", "scripts/run", "cd /ro" + "ot/x\n", "one machine"),
]


def plant(folder, files):
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Tree(unittest.TestCase):
    """The checks, on this source tree."""

    def test_tree(self):
        for check in checks.CHECKS:
            with self.subTest(check.__name__):
                found = list(check(ROOT))
                self.assertFalse(found, "\n" + "\n".join(found))

    def test_something_is_looked_at(self):
        self.assertGreater(len(list(checks.sources(ROOT))), 50)


class Controls(unittest.TestCase):
    """Each check finds its planted fault, and nothing in a clean tree."""

    def test_clean(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, CLEAN)
            for check in checks.CHECKS:
                self.assertEqual(list(check(folder)), [], check.__name__)

    def test_planted(self):
        for name, file, text, message in FAULTS:
            with self.subTest(check=name, file=file, text=text[:40]), tempfile.TemporaryDirectory() as folder:
                plant(folder, CLEAN | {file: text})
                found = list(getattr(checks, name)(folder))
                self.assertEqual(len(found), 1, found)
                self.assertIn(message, found[0])

    def test_crowded_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {f"neural/unit{i}.{s}": "#pragma once\n" for i in range(checks.MOST_UNITS) for s in ("h", "cpp")})
            self.assertEqual(list(checks.rooms(folder)), [])
            plant(folder, {"neural/one_more.cpp": ""})
            self.assertIn("41 units", "".join(checks.rooms(folder)))

    def test_every_check_has_a_fault(self):
        self.assertEqual({c.__name__ for c in checks.CHECKS}, {f[0] for f in FAULTS})


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
