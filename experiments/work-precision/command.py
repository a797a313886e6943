"""The `stride` command, called one process at a time on one thread."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# A sampler that ends non-finite: its own rows are empty, the others are whole.
SOME_SAMPLES_FAILED = 4


class Command:
    def __init__(self, program):
        self.program = str(program)

    def _call(self, *arguments):
        environment = dict(os.environ, OMP_NUM_THREADS="1", NO_COLOR="1")
        return subprocess.run([self.program, *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def output(self, *arguments):
        done = self._call(*arguments)
        if done.returncode != 0:
            sys.exit(f"stride {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.output(*arguments, "--json"))

    def evaluate(self, *arguments):
        """Rows of results.csv that hold the RMSE of all samples."""
        with tempfile.TemporaryDirectory(prefix="stride-study-") as folder:
            run = Path(folder) / "run"
            done = self._call("evaluate", *arguments, "--outdir", str(run), "--json")
            if done.returncode not in (0, SOME_SAMPLES_FAILED):
                sys.exit(f"stride evaluate {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
            with open(run / "results.csv", newline="") as file:
                return [row for row in csv.DictReader(file) if row["metric"] == "rmse" and row["block"] == "all"]
