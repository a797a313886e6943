"""Denoisers from Python: what they are called with, what they may answer, and what is said when something is wrong."""

import gc
import unittest
import weakref

import torch

import stride
from support import gaussian, points, two_points


class Calls(unittest.TestCase):
    def test_x_and_sigma_are_rows_in_the_run_s_dtype(self):
        seen = []

        def look(x, sigma):
            seen.append((x.dtype, x.shape, sigma.dtype, sigma.shape, torch.is_grad_enabled()))
            return points(x, sigma)

        stride.sample(stride.Denoiser(look, (2,), (0.002, 10)), "euler", steps=2, seeds=range(3))
        self.assertEqual(set(seen), {(torch.float32, (3, 2), torch.float32, (3,), False)})
        seen.clear()
        stride.sample(stride.Denoiser(look, (2,), (0.002, 10)), "euler", steps=2, seeds=range(3), dtype="float64")
        self.assertEqual(set(seen), {(torch.float64, (3, 2), torch.float64, (3,), False)})

    def test_what_it_answers_is_where_the_run_ends(self):
        kept = torch.zeros(4, 2)
        denoiser = stride.Denoiser(lambda x, sigma: kept, (2,), (0.002, 10))
        end = stride.sample(denoiser, "euler", steps=3, seeds=range(4))
        self.assertTrue(torch.equal(end.x, kept))

    def test_a_sample_is_drawn_from_the_distribution(self):
        r = stride.sample(two_points(), "dpmpp_2m", steps=20, seeds=range(1024))
        self.assertAlmostEqual(r.x.square().mean().item(), 1.25, delta=0.1)
        self.assertTrue(r.ok)
        self.assertEqual(r.nfe.tolist(), [20] * 1024)
        self.assertEqual(len(r.sigmas), 21)
        self.assertEqual(r.sigmas[-1].item(), 0.0)

    def test_a_module_says_where_it_is_and_in_what(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.tensor(0.5))

            def forward(self, x, sigma):
                return self.scale * gaussian(x, sigma)

        with self.assertWarnsRegex(UserWarning, "training mode"):
            stride.Denoiser(Net(), (2,))
        denoiser = stride.Denoiser(Net().eval().double(), (2,))
        self.assertEqual(stride.sample(denoiser, "euler", steps=2, seeds=[1]).x.dtype, torch.float64)
        self.assertFalse(stride.sample(denoiser, "euler", steps=2, seeds=[1]).x.requires_grad)

    def test_predictions_are_the_cards(self):
        # Each network that predicts otherwise is the same D turned round, with the formulas of docs/models.md.
        def eps(x_in, t):  # x_in = x / sqrt(1 + sigma^2), D = x - sigma * eps
            s = stride.per_sample(t, x_in)
            x = x_in * (1 + s * s).sqrt()
            return (x - points(x, t)) / s

        def v(x_in, t):  # D = x / (1 + sigma^2) - sigma / sqrt(1 + sigma^2) * v
            s = stride.per_sample(t, x_in)
            x = x_in * (1 + s * s).sqrt()
            return (x / (1 + s * s) - points(x, t)) * (1 + s * s).sqrt() / s

        def flow(x_in, t):  # t = sigma / (1 + sigma), x_in = x (1 - t), D = x_in - t * flow
            s = t / (1 - t)
            x = x_in / stride.per_sample(1 - t, x_in)
            return (x_in - points(x, s)) / stride.per_sample(t, x_in)

        wanted = stride.sample(two_points(dtype="float64"), "heun", steps=8, seeds=range(8)).x
        for function, prediction, time in ((eps, "eps", "sigma"), (v, "v", "sigma"), (flow, "flow", None)):
            with self.subTest(prediction=prediction):
                d = stride.Denoiser(function, (2,), (0.002, 10), prediction=prediction, time=time, dtype="float64")
                self.assertLess((stride.sample(d, "heun", steps=8, seeds=range(8)).x - wanted).abs().max().item(), 1e-9)

    def test_timesteps_are_the_noise_schedule_s(self):
        seen = []

        def eps(x, t):
            seen.append(t.clone())
            return x

        d = stride.Denoiser(eps, (2,), (0.03, 150.0), prediction="epsilon")
        stride.sample(d, "ddim", steps=3, schedule="leading", seeds=[0])
        self.assertTrue(all(0 <= t.item() <= 999 for t in seen))
        self.assertGreater(seen[0].item(), seen[-1].item())

    def test_answers_of_other_libraries(self):
        class Output:
            def __init__(self, sample):
                self.sample = sample

        wanted = stride.sample(two_points(), "heun", steps=4, seeds=range(3)).x
        for function in (lambda x, s: Output(points(x, s)), lambda x, s: (points(x, s), None)):
            got = stride.sample(stride.Denoiser(function, (2,), (0.002, 10)), "heun", steps=4, seeds=range(3)).x
            self.assertTrue(torch.equal(got, wanted))

    def test_called_by_hand(self):
        x = torch.randn(5, 2)
        sigma = torch.linspace(0.1, 5, 5)
        self.assertTrue(torch.allclose(two_points()(x, sigma), points(x, sigma)))
        self.assertTrue(torch.allclose(two_points()(x, 2.0), points(x, torch.full((5,), 2.0))))


class Conditions(unittest.TestCase):
    def shifted(self, x, sigma, labels, style):
        return gaussian(x, sigma) + labels.to(x.dtype).clamp(min=0)[:, None] + 0.1 * style.sum(1, keepdim=True)

    def denoiser(self):
        return stride.Denoiser(self.shifted, (2,), (0.002, 10), conditions={"labels": 3, "style": (4,)})

    def test_they_come_by_name_with_a_row_a_sample(self):
        base = stride.sample(self.denoiser(), "euler", steps=4, seeds=range(6), label=0, conditions={"style": torch.zeros(4)}).x
        moved = stride.sample(self.denoiser(), "euler", steps=4, seeds=range(6), label=[0, 1, 2, 0, 1, 2],
                              conditions={"style": torch.zeros(6, 4)}).x
        self.assertTrue(torch.equal(base[::3], moved[::3]))
        self.assertTrue((moved[1] - base[1]).abs().max() > 0.5)
        styled = stride.sample(self.denoiser(), "euler", steps=4, seeds=range(6), label=0, conditions={"style": torch.ones(4)}).x
        self.assertTrue((styled - base).abs().max() > 0.2)

    def test_guidance_goes_away_from_none(self):
        d = stride.Denoiser(lambda x, s, labels: gaussian(x, s) + labels.to(x.dtype).clamp(min=0)[:, None], (2,),
                            (0.002, 10), conditions={"labels": 3})
        plain = stride.sample(d, "euler", steps=4, seeds=range(3), label=1)
        guided = stride.sample(d, "euler", steps=4, seeds=range(3), label=1, guidance=2)
        self.assertEqual(guided.model_evals.tolist(), [8, 8, 8])
        self.assertEqual(guided.nfe.tolist(), [4, 4, 4])
        self.assertTrue(torch.allclose(guided.x, plain.x * 0 + guided.x))
        self.assertGreater((guided.x - plain.x).mean().item(), 0.5)

    def test_what_is_missing_is_named(self):
        with self.assertRaisesRegex(stride.UsageError, "style"):
            stride.sample(stride.Denoiser(self.shifted, (2,), conditions={"labels": 3, "style": {"shape": (4,)}}), label=1)
        with self.assertRaisesRegex(stride.InputError, "stile"):
            stride.sample(self.denoiser(), label=1, conditions={"stile": torch.zeros(4)})


class Mistakes(unittest.TestCase):
    def test_what_to_write_is_said(self):
        for call, words in (
            (lambda: stride.sample(two_points(), "huen"), "did you mean 'heun'"),
            (lambda: stride.sample(two_points(), "heun", step=5), "did you mean 'steps'"),
            (lambda: stride.sample(two_points(), "heun", steps="5"), "`steps` takes a whole number, not '5'"),
            (lambda: stride.sample(two_points(), "heun", steps=True), "`steps` takes a whole number"),
            (lambda: stride.sample(two_points(), "heun", seeds=5), "range"),
            (lambda: stride.sample(two_points(), "heun", seeds=[1, 1]), "1"),
            (lambda: stride.sample(two_points(), "heun", steps=3, nfe=4), "exclude each other"),
            (lambda: stride.sample(points, "heun"), "stride.Denoiser"),
            (lambda: stride.sample(two_points(), 3), "`solver` takes a name"),
            (lambda: stride.sample(two_points(), device="gpu"), "device"),
            (lambda: stride.Denoiser(3, (2,)), "callable"),
            (lambda: stride.Denoiser(points, (2,), (3, 1)), "sigma"),
            (lambda: stride.Denoiser(points, (2,), prediction="epsilom"), "did you mean 'epsilon'"),
            (lambda: stride.Denoiser(points, ()), "shape"),
            (lambda: stride.solvers["huen"], "heun"),
        ):
            with self.subTest(words=words):
                with self.assertRaises(stride.UsageError) as caught:
                    call()
                self.assertIn(words, str(caught.exception))

    def test_shapes_and_kinds_of_answers(self):
        for function, words in ((lambda x, s: x[:, :1], "shape"), (lambda x, s: None, "NoneType"), (lambda x, s: 3.0, "float")):
            with self.assertRaisesRegex(stride.UsageError, words):
                stride.sample(stride.Denoiser(function, (2,)), seeds=[0])

    def test_errors_have_a_base_and_are_what_they_are(self):
        self.assertTrue(issubclass(stride.UsageError, (stride.Error, ValueError)))
        self.assertTrue(issubclass(stride.Interrupted, KeyboardInterrupt))
        with self.assertRaisesRegex(stride.InputError, "did you mean 'digits'"):
            stride.load("digts")
        with self.assertRaises(stride.InputError):
            stride.Plan.load("no/such/file.json")


class Life(unittest.TestCase):
    def test_exceptions_come_back_as_themselves(self):
        class Mine(Exception):
            pass

        error = Mine("at this very line")

        def fail(x, sigma):
            if sigma[0] < 1:
                raise error
            return points(x, sigma)

        denoiser = stride.Denoiser(fail, (2,), (0.002, 10))
        for call in (lambda: stride.sample(denoiser, seeds=[0]), lambda: stride.fit(denoiser, nfe=3, seeds="0-7", val_seeds="8-9"),
                     lambda: stride.evaluate(denoiser, ["euler"], nfe=3, seeds="0-15"),
                     lambda: stride.sample(denoiser, "heun", policy="pi:atol=0.05", seeds=[0])):
            try:
                call()
            except Mine as caught:
                self.assertIs(caught, error)
                trace = caught.__traceback__
                while trace.tb_next:
                    trace = trace.tb_next
                self.assertEqual(trace.tb_frame.f_code.co_name, "fail")
            else:
                self.fail("nothing was raised")

    def test_nothing_holds_on_to_the_function(self):
        class Net:
            def __call__(self, x, sigma):
                return points(x, sigma)

        net = Net()
        net.denoiser = stride.Denoiser(net, (2,), (0.002, 10))  # a cycle, which the collector must see through
        stride.sample(net.denoiser, "euler", steps=2, seeds=[0])
        gone = weakref.ref(net)
        del net
        gc.collect()
        self.assertIsNone(gone())

    def test_gradients_reach_start_and_weights(self):
        weight = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        d = stride.Denoiser(lambda x, s: weight * gaussian(x, s), (2,), (0.002, 10), dtype="float64")
        init = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        found = {}
        for mode in ("plain", "checkpointed"):
            r = stride.sample(d, "heun", steps=6, seeds=range(3), init=init, gradients=mode, parameters=[weight])
            found[mode] = torch.autograd.grad(r.x.square().sum(), [init, weight])
        for a, b in zip(found["plain"], found["checkpointed"]):
            self.assertTrue(torch.allclose(a, b, rtol=1e-12))

        def loss(value):  # and by differences
            moved = stride.Denoiser(lambda x, s: value * gaussian(x, s), (2,), (0.002, 10), dtype="float64")
            return stride.sample(moved, "heun", steps=6, seeds=range(3), init=init.detach()).x.square().sum().item()

        by_difference = (loss(1 + 1e-5) - loss(1 - 1e-5)) / 2e-5
        self.assertAlmostEqual(found["plain"][1].item(), by_difference, delta=1e-6 * abs(by_difference) + 1e-9)


if __name__ == "__main__":
    unittest.main()
