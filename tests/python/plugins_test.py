"""Solvers, grids, policies, metrics and noise that are written in Python."""

import unittest

import torch

import stride
from support import two_points


@stride.solver(order=2, error_order=2, nfe=lambda steps, final_zero: 2 * steps - final_zero)
def own_heun(step, x):
    """Karras et al. 2022, alg. 1 without churn."""
    span = stride.per_sample(step.sigma_next - step.sigma, x)
    d = step.drift(x, step.sigma, step.denoise(x))
    euler = x + span * d
    d_next = step.drift(euler, step.sigma_next, step.denoise(euler, step.sigma_next))
    return stride.StepResult(x + span * (d + d_next) / 2, error=span * (d_next - d) / 2)


@stride.solver(order=2, start_order=2, history=1, nfe=1)
def own_ab2(step, x):
    """Adams-Bashforth of second order with varying steps; the first is Euler's."""
    h = step.sigma_next - step.sigma
    d = step.drift(x, step.sigma, step.denoise(x))
    last = step.past[0]
    ratio = torch.where(step.count > 0, h / (step.sigma - last.sigma), torch.zeros_like(h)) / 2
    return x + stride.per_sample(h * (1 + ratio), x) * d - stride.per_sample(h * ratio, x) * last.slope


@stride.solver(order=2, nfe=1)
def wrong_order(step, x):
    return x + stride.per_sample(step.sigma_next - step.sigma, x) * step.drift(x, step.sigma, step.denoise(x))


@stride.solver(order=1, nfe=2)
def wrong_cost(step, x):
    return x + stride.per_sample(step.sigma_next - step.sigma, x) * step.drift(x, step.sigma, step.denoise(x))


@stride.solver(order=1, nfe=1)
class Impure:
    def __init__(self):
        self.calls = 0

    def step(self, step, x, memory):
        self.calls += 1
        return x + stride.per_sample(step.sigma_next - step.sigma, x) * step.drift(x, step.sigma, step.denoise(x)) + 1e-9 * self.calls


@stride.solver(order=1, nfe=1)
def looks_at_neighbours(step, x):
    return x + stride.per_sample(step.sigma_next - step.sigma, x) * step.drift(x, step.sigma, step.denoise(x)) + 1e-9 * x.mean()


@stride.solver(order=1, nfe=1)
class Momentum:
    """A memory of its own."""

    def __init__(self, share=0.0):
        self.share = share

    def init(self, x):
        return [torch.zeros_like(x)]

    def step(self, step, x, memory):
        d = step.drift(x, step.sigma, step.denoise(x))
        d = d + self.share * (memory[0] - d)
        return x + stride.per_sample(step.sigma_next - step.sigma, x) * d, [d]


@stride.schedule
def squares(u, sigma_min, sigma_max, power=2.0):
    return (sigma_max ** (1 / power) + u * (sigma_min ** (1 / power) - sigma_max ** (1 / power))) ** power


@stride.schedule
def halves(steps, sigma_max):
    return [sigma_max / 2 ** i for i in range(steps)]


@stride.policy
class Even:
    """Steps of one length in ln sigma."""

    def __init__(self, length=0.5):
        self.length = length

    def init(self, x, sigma):
        return [torch.zeros_like(sigma)]

    def propose(self, state):
        return state.sigma * torch.exp(torch.tensor(-self.length))

    def decide(self, state, sigma_next, result):
        return stride.Decision(memory=[state.memory[0] + 1])


@stride.metric
def mae(x, teacher):
    return (x - teacher).abs().flatten(1).mean(1)


class Solvers(unittest.TestCase):
    def test_a_heun_of_python_s_is_the_native_one(self):
        for settings in ({"steps": 12}, {"nfe": 11}, {"steps": 6, "final": "sigma_min"}, {"policy": "pi:atol=0.01"}):
            with self.subTest(**settings):
                native = stride.sample(two_points(dtype="float64"), "heun", seeds=range(16), **settings)
                own = stride.sample(two_points(dtype="float64"), "own_heun", seeds=range(16), **settings)
                self.assertLess((native.x - own.x).abs().max().item(), 1e-12)
                self.assertEqual(native.nfe.tolist(), own.nfe.tolist())

    def test_a_heun_of_python_s_passes_the_checks(self):
        report = stride.check("own_heun")
        self.assertTrue(report, repr(report))
        self.assertIn("all holds", repr(report))
        self.assertTrue(report["order"].applies)

    def test_history_comes_and_goes_with_the_rows(self):
        self.assertTrue(stride.check("own_ab2"), repr(stride.check("own_ab2")))

    def test_a_memory_of_its_own(self):
        report = stride.check("Momentum")
        self.assertTrue(report, repr(report))
        plain = stride.sample(two_points(), "Momentum", steps=5, seeds=range(4)).x
        self.assertTrue(torch.allclose(plain, stride.sample(two_points(), "euler", steps=5, seeds=range(4)).x, atol=1e-5))
        self.assertFalse(torch.allclose(plain, stride.sample(two_points(), "Momentum:share=0.5", steps=5, seeds=range(4)).x))

    def test_what_does_not_hold_is_found_out(self):
        for solver, claim in (("wrong_order", "order"), ("wrong_cost", "nfe"), ("Impure", "purity"),
                              ("looks_at_neighbours", "batches")):
            with self.subTest(solver=solver):
                report = stride.check(solver)
                self.assertFalse(report)
                self.assertFalse(report[claim].holds, repr(report))
                self.assertIn("NOT", repr(report))

    def test_native_solvers_are_checked_too(self):
        self.assertTrue(stride.check("dpmpp_2m"))
        self.assertTrue(stride.check("euler_ancestral"))

    def test_everywhere_by_name(self):
        d = two_points()
        table = stride.evaluate(d, ["own_heun", "own_ab2", ("own_heun", "pi:atol=0.05")], nfe=[5], seeds="0-31", metrics=["rmse"])
        self.assertEqual([row["sampler"] for row in table.rows], ["own_heun", "own_ab2", "own_heun"])

    def test_mistakes(self):
        def gives(value):
            stride.solver(lambda step, x: value(step, x), name="mistake")
            return stride.sample(two_points(), "mistake", steps=2, seeds=[0])

        for value, words in ((lambda step, x: None, "NoneType"), (lambda step, x: x, "step.denoise"),
                             (lambda step, x: step.denoise(x)[:, :1], "shape"),
                             (lambda step, x: step.denoise(x).double() * step.sigma[:, None], "stride.per_sample")):
            with self.assertRaisesRegex(stride.UsageError, words):
                gives(value)
        with self.assertRaisesRegex(stride.UsageError, "did you mean 'share'"):
            stride.sample(two_points(), "Momentum:shair=1")
        with self.assertRaisesRegex(stride.UsageError, "Stride has one of that name"):
            stride.solver(own_heun, name="heun")

    def test_a_step_is_over_when_it_is_over(self):
        kept = []

        def keep(step, x):
            kept.append(step)
            return step.denoise(x)

        stride.solver(keep, name="keep")
        stride.sample(two_points(), "keep", steps=2, seeds=[0])
        with self.assertRaisesRegex(stride.UsageError, "over"):
            kept[0].denoise(torch.zeros(1, 2))


class Grids(unittest.TestCase):
    def levels(self, **settings):
        return stride.sample(two_points(), "euler", seeds=[0], **settings).sigmas

    def test_forms(self):
        wanted = [10.0, 5.0, 2.5, 0.0]
        self.assertEqual(self.levels(sigmas=wanted).tolist(), wanted)
        self.assertEqual(self.levels(sigmas=torch.tensor(wanted)).tolist(), wanted)
        self.assertEqual(self.levels(schedule=wanted).tolist(), wanted)
        self.assertEqual(self.levels(schedule="halves", steps=3).tolist(), wanted)
        self.assertEqual(self.levels(schedule=lambda u: 10.0 * 0.25 ** u, steps=3).tolist(), wanted)
        two = self.levels(schedule="squares", steps=4)
        four = self.levels(schedule="squares:power=4", steps=4)
        self.assertTrue(torch.allclose(torch.stack([two[0], four[0]]), torch.tensor(10.0, dtype=torch.float64)))
        self.assertEqual(two[-1].item(), 0.0)
        self.assertAlmostEqual(two[3].item(), 0.002, places=12)
        self.assertLess(four[1].item(), two[1].item())
        self.assertEqual(len(self.levels(schedule="squares", steps=4, final="sigma_min")), 5)

    def test_karras_as_a_function_is_karras(self):
        low, high = 0.002 ** (1 / 7), 10.0 ** (1 / 7)
        own = self.levels(schedule=lambda u: (high + u * (low - high)) ** 7, steps=9)
        self.assertTrue(torch.allclose(own, self.levels(schedule="karras", steps=9), rtol=1e-12))

    def test_a_learning_rate_scheduler(self):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=10.0)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        self.assertEqual(self.levels(schedule=scheduler, steps=3).tolist(), [10.0, 5.0, 2.5, 0.0])
        self.assertEqual(optimizer.param_groups[0]["lr"], 10.0)  # it is where it was
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=9, eta_min=0.01)
        self.assertEqual(len(self.levels(sigmas=cosine, steps=8)), 9)

    def test_in_a_comparison(self):
        table = stride.evaluate(two_points(), ["euler"], nfe=[3, 4], schedule=["karras", "squares", lambda u: 10.0 * 1e-3 ** u],
                                seeds="0-15")
        self.assertEqual([row["schedule"] for row in table.rows].count("squares"), 2)
        self.assertEqual(len(table.rows), 6)

    def test_mistakes(self):
        with self.assertRaisesRegex(stride.UsageError, "decreas"):
            self.levels(schedule=lambda u: u + 1, steps=3)
        with self.assertRaisesRegex(stride.UsageError, "did you mean 'power'"):
            self.levels(schedule="squares:powr=3")
        with self.assertRaisesRegex(stride.UsageError, "positive levels"):
            self.levels(schedule=lambda steps: [1.0], steps=3)


class Others(unittest.TestCase):
    def test_a_policy(self):
        r = stride.sample(two_points(), "heun", policy="Even:length=0.5", seeds=range(8))
        self.assertTrue(r.ok)
        self.assertIsNone(r.sigmas)
        steps = -(-torch.log(torch.tensor(10.0 / 0.002)).item() // 0.5)
        self.assertEqual(set(r.steps.tolist()), {steps + 1})
        fine = stride.sample(two_points(), "heun", policy="Even:length=0.05", seeds=range(8))
        exact = stride.sample(two_points(), "heun", steps=200, seeds=range(8))
        self.assertLess((fine.x - exact.x).abs().max(), (r.x - exact.x).abs().max())

    def test_a_metric(self):
        table = stride.evaluate(two_points(), ["euler", "heun"], nfe=[5], seeds="0-31", metrics=["rmse", "mae"])
        for row in table.rows:
            value, low, high = row["metrics"]["mae"]
            self.assertTrue(0 < low <= value <= high)
            self.assertLess(value, row["metrics"]["rmse"][0] + 1e-12)
        with self.assertRaisesRegex(stride.UsageError, "a number for each"):
            stride.evaluate(two_points(), ["euler"], nfe=[5], seeds="0-31", metrics=[lambda x, teacher: x.mean()])

    def test_noise(self):
        plain = stride.sample(two_points(), "euler_ancestral", steps=5, seeds=range(4)).x
        silent = stride.sample(two_points(), "euler_ancestral", steps=5, seeds=range(4),
                               noise=lambda ids, step, draw, like, sigma, sigma_next: torch.zeros_like(like)).x
        none = stride.sample(two_points(), "euler_ancestral", steps=5, seeds=range(4), noise=torch.zeros(5, 4, 2)).x
        self.assertTrue(torch.equal(silent, none))
        self.assertFalse(torch.equal(silent, plain))
        with self.assertRaisesRegex(stride.UsageError, "no source"):
            stride.sample(two_points(), "euler_ancestral", noise="pink")


if __name__ == "__main__":
    unittest.main()
