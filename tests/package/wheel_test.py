"""The wheel that scripts/wheel makes: what is in it, and what it does in an empty environment to which torch is linked."""

import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path

SOURCE, BUILD, SITE = (Path(os.environ[name]) for name in ("STRIDE_SOURCE", "STRIDE_BUILD", "STRIDE_TORCH_SITE"))
WORK = Path(os.environ["STRIDE_WORK"])
LIMIT = 60_000_000


def run(*command, code=0, **environment):
    """What COMMAND printed, in an environment without anything of the build's."""
    clean = {key: os.environ[key] for key in ("HOME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY") if key in os.environ}
    clean["PATH"] = "/usr/bin:/bin"
    done = subprocess.run(list(map(str, command)), cwd=WORK, env=clean | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    if done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{said}")
    return said


def make_environment(name, torch):
    folder = WORK / name
    run(sys.executable, "-m", "venv", folder)
    if torch:
        site = next(folder.glob("lib/python3*/site-packages"))
        (site / "torch.pth").write_text(f"{SITE}\n")
    return folder / "bin"


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        subprocess.run([SOURCE / "scripts/wheel", "--out", WORK / "wheels", "--python", sys.executable], check=True)
        (cls.wheel,) = (WORK / "wheels").iterdir()
        cls.bin = make_environment("environment", torch=True)
        # Its dependencies are there already; pip says so if one is not.
        run(cls.bin / "pip", "install", "--no-index", "--disable-pip-version-check", cls.wheel)

    def test_content(self):
        self.assertRegex(self.wheel.name, r"^stride-[0-9.]+-cp3(\d+)-cp3\1-manylinux_2_\d+_x86_64\.whl$")
        self.assertLess(self.wheel.stat().st_size, LIMIT)
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
            wheel.extractall(WORK / "content")
        for part in (r"stride/__init__\.py", r"stride/py\.typed", r"stride/_stride\..*\.so", r"stride/bin/stride", r"stride/lib/libstride\.so",
                     r"stride/share/stride/models/cifar10/card\.toml", r"stride-[^/]*\.data/scripts/stride",
                     r"stride-[^/]*\.dist-info/licenses/LICENSE", r".*/licenses/libraries/libhdf5.*", r"stride\.libs/libhdf5.*", r"stride\.libs/libspqr.*"):
            self.assertTrue(any(re.fullmatch(part, name) for name in names), f"{part} is not in the wheel")
        for name in names:
            self.assertNotRegex(name, r"\.(a|h|cuh|cmake|pyc)$")
            self.assertNotRegex(name, r"lib(torch|c10|cudart|cublas|cudnn|nccl|gomp|cuda)[^/]*\.so")
            self.assertNotRegex(name, r"models/digits", "it is in the library already")

    def test_nothing_of_the_build(self):
        """Libraries are looked for beside the package only, and nothing carries what a debugger needs."""
        programs = [path for path in (WORK / "content").rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
        self.assertGreater(len(programs), 10)
        for program in programs:
            paths = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", run("readelf", "-d", program))
            for path in ":".join(paths).split(":"):
                self.assertTrue(path == "" or path.startswith("$ORIGIN"), f"{program} looks in {path}")
            self.assertNotIn(".debug_", run("readelf", "-SW", program), program)

    def test_command(self):
        self.assertIn("stride 0", run(self.bin / "stride", "--version"))
        self.assertIn("cifar10", run(self.bin / "stride", "list", "models"))
        self.assertIn("did you mean", run(self.bin / "stride", "smaple", code=2))
        for place, program in (("wheel", self.bin / "stride"), ("build", BUILD / "apps/stride")):
            run(program, "sample", "--model", "digits", "--nfe", "5", "--seeds", "0-3", "--save", "npz", "--outdir", WORK / place)
        samples = [(WORK / place / "samples.npz").read_bytes() for place in ("wheel", "build")]
        self.assertEqual(*samples)
        # A model that lies beside the program.
        run(self.bin / "stride", "sample", "--model", "cifar10", "--nfe", "1", "--seeds", "0", "--outdir", WORK / "photographs")

    def test_without_torch(self):
        self.assertIn("-m pip install 'torch==2.11", self.without_torch("stride", "--version", code=3))

    def without_torch(self, program, *arguments, code):
        folder = make_environment("without", torch=False)
        run(folder / "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", self.wheel)
        return run(folder / program, *arguments, code=code)

    def test_module(self):
        said = run(self.bin / "python", "-c", "import stride; print(stride.__version__, stride.__file__)")
        self.assertIn(str(WORK / "environment"), said)

    def test_modules_tests(self):
        """What tests/python holds of the module, of the one installed; libraries_test.py needs libraries that are not there."""
        files = sorted(file for file in (SOURCE / "tests/python").glob("*_test.py") if file.name != "libraries_test.py")
        self.assertTrue(files)
        for file in files:
            with self.subTest(file.name):
                run(self.bin / "python", "-B", file, STRIDE_EXECUTABLE=str(self.bin / "stride"))

    def test_one_openmp(self):
        said = run(self.bin / "python", "-c", "import stride; print({line.split()[-1] for line in open('/proc/self/maps') if 'gomp' in line})")
        self.assertEqual(said.count("libgomp"), 1, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
