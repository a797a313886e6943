"""experiments/claims/run on the digits: what it writes; and the verdicts, on made-up distances."""

import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXPERIMENT = Path(sys.argv.pop())
sys.path.insert(0, str(EXPERIMENT))

import claims
from command import Measured, Value


def measured(fd, nfe=20.0, seconds=1.0, width=0.0):
    return Measured(Value(fd, fd - width, fd + width), 100, nfe, seconds, [], {}, "cpu")


def answers(width=0.0, **changed):
    samplers = {"ddpm-many": measured(10.0), "ddpm-50": measured(10.0), "ddim-10": measured(10.6), "ddim-20": measured(10.4),
                "euler-20": measured(11.0), "heun-15": measured(9.0, nfe=26.0, seconds=1.4)}
    samplers |= {name.replace("_", "-"): measured(value, width=width) for name, value in changed.items()}
    return [answer.verdict for answer in claims.answers(samplers)]


class Verdicts(unittest.TestCase):
    def test_each_claim_has_its_limit(self):
        self.assertEqual(answers(), ["false", "true", "true", "true", "true"])
        self.assertEqual(answers(euler_20=11.8)[2], "false")     # 10 / 11.8 is 84.7 %
        self.assertEqual(answers(heun_15=9.2)[3], "false")       # 11.5 % below 10.4
        self.assertEqual(answers(heun_15=9.0)[4], "false")       # 20 evaluations cost no more

    def test_intervals_on_both_sides_of_a_limit_do_not_decide(self):
        self.assertEqual(answers(ddim_20=10.4, width=0.5)[1], "true, but inside the intervals")
        self.assertEqual(answers(ddim_10=10.6, width=0.5)[0], "false, but inside the intervals")

    def test_an_interval_down_to_nothing_is_no_ratio(self):
        value, low, high = claims.ratio(Value(1.0, 0.5, 1.5), Value(1.0, -1.0, 3.0))
        self.assertEqual((value, high), (1.0, math.inf))
        self.assertGreater(low, 0.0)


class Digits(unittest.TestCase):
    def test_it_measures_all_samplers_and_answers_every_claim(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "claims"
            subprocess.run([EXPERIMENT / "run", "--model", "digits", "--features", "features-digits", "--ref", "digits",
                            "--device", "cpu", "--seeds", "0-31", "--many", "60", "--outdir", out],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            record = json.loads((out / "claims.json").read_text())
            self.assertEqual({name: each["nfe"] for name, each in record["samplers"].items()},
                             {"ddpm-many": 60, "ddpm-50": 50, "ddim-10": 10, "ddim-20": 20, "euler-20": 20, "heun-15": 29})
            self.assertEqual(len(record["answers"]), 5)
            page = (out / "claims.md").read_text()
            for answer in record["answers"]:
                self.assertIn(answer["claim"], page)
            self.assertTrue(all(each["fd"]["value"] > 0 for each in record["samplers"].values()))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
