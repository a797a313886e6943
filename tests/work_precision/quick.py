"""The study's --quick run on two solvers: what its CSV must have, and slopes that are the orders."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

STUDY = Path(sys.argv.pop())
sys.path.insert(0, str(STUDY))

import analysis
import measure

ORDERS = {"rk4": 4, "dopri5:error=false": 5}
COST = {"rk4": 4, "dopri5:error=false": 6}
MIXTURES = ["1d", "2d", "64d"]


class QuickStudy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.outdir = Path(cls.folder.name)
        subprocess.run([STUDY / "run", "--quick", "--solver", "rk4", "--solver", "dopri5", "--outdir", cls.outdir], check=True)
        cls.rows = measure.read_csv(cls.outdir / "results" / "work-precision.csv")

    def test_every_run_is_there_once(self):
        keys = [(row.mixture, row.solver, row.control, row.tolerance, row.steps) for row in self.rows]
        self.assertEqual(len(keys), len(set(keys)))
        scope = measure.QUICK
        for mixture in MIXTURES:
            for solver, cost in COST.items():
                found = [row.nfe for row in self.rows if row[:3] == (mixture, solver, "logsnr")]
                self.assertEqual(found, measure.affordable(measure.nfe_of(mixture, scope), cost), (mixture, solver))
            for policy in measure.POLICIES:
                found = {row.tolerance for row in self.rows if row[:3] == (mixture, "dopri5", policy)}
                self.assertEqual(found, set(scope.tolerances[3]), (mixture, policy))

    def test_errors_are_positive_and_within_their_intervals(self):
        for row in self.rows:
            self.assertGreater(row.rmse, 0, row)
            self.assertLessEqual(row.low, row.rmse * 1.01, row)
            self.assertGreaterEqual(row.high, row.rmse * 0.99, row)

    def test_the_reference_was_checked(self):
        changes = {row.mixture: row.rmse for row in self.rows if row.control == "reference"}
        self.assertEqual(sorted(changes), MIXTURES)
        self.assertLess(max(changes.values()), measure.REFERENCE_TOLERANCE)

    def test_slopes_are_the_orders(self):
        curves = analysis.curves(self.rows)
        for solver, order in ORDERS.items():
            slope = analysis.slope(curves[measure.QUICK.slope_mixture, "logsnr", solver])
            self.assertAlmostEqual(slope, order, delta=0.3, msg=solver)

    def test_plots_and_page_are_written(self):
        for family in ["one-step", "adaptive"]:
            ElementTree.parse(self.outdir / "images" / f"work-precision-{family}.svg")
        self.assertIn("## Slopes against orders", (self.outdir / "work-precision.md").read_text())


if __name__ == "__main__":
    unittest.main()
