"""Plans and samplers under the interfaces of other projects, against the module's own samples."""

import unittest

import torch

import stride
from support import points, two_points

PLAN = stride.Plan([10.0, 3.0, 0.8, 0.2, 0.0], [[1.02], [1.4, -0.45], [1.7, -1.0, 0.3], [1.9, -1.7, 1.1, -0.3]],
                   [1.03, 0.95, 1.02, 0.97])


class Exported(unittest.TestCase):
    def setUp(self):
        self.noise = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        self.denoiser = two_points()

    def own(self, solver, **settings):
        return stride.sample(self.denoiser, solver, seeds=range(4), init=self.noise, dtype=torch.float64, **settings).x

    def test_a_plan_as_a_function(self):
        sample = stride.sampler_function(PLAN)
        self.assertEqual(len(sample.sigmas), 5)
        found = sample(points, self.noise * 10.0, sample.sigmas)
        torch.testing.assert_close(found, self.own(PLAN), rtol=1e-12, atol=1e-12)

    def test_samplers_by_name(self):
        for solver, settings in (("dpmpp_2m", {"steps": 7}), ("heun", {"nfe": 8, "final": "sigma_min"}),
                                 ("unipc", {"sigmas": [10.0, 3.0, 0.5, 0.1, 0.0]}), ("ddim@2,heun@2", {})):
            with self.subTest(solver):
                sample = stride.sampler_function(solver, sigma_min=0.002, sigma_max=10.0, **settings) \
                    if "sigmas" not in settings else stride.sampler_function(solver, **settings)
                torch.testing.assert_close(sample(points, self.noise * 10.0), self.own(solver, **settings), rtol=1e-10, atol=1e-10)

    def test_misuse(self):
        for arguments, error, says in (((("dpmpp_2m",), {"stepz": 3}), stride.UsageError, "steps"),
                                       ((("dpmpp_2",), {"steps": 3}), stride.UsageError, "dpmpp_2m"),
                                       (((PLAN,), {"steps": 4}), TypeError, "its own levels"),
                                       (((3,), {}), ValueError, "not a plan"),
                                       ((("dpmpp_2m",), {"policy": "pi:atol=0.1"}), stride.UsageError, "error estimate"),
                                       ((("heun",), {"policy": "pi:atol=0.1"}), stride.UsageError, "steps")):
            with self.subTest(says), self.assertRaisesRegex(error, says):
                stride.sampler_function(*arguments[0], **arguments[1])

    def test_comfyui_is_found(self):
        self.assertTrue(callable(stride.comfyui.install))

    def test_in_a_pipeline_s_loop(self):
        try:
            import diffusers
        except ImportError:
            self.skipTest("diffusers is not here")
        for sampler, settings in ((PLAN, {}), ("dpmpp_2m", {"steps": 6}), ("heun", {"steps": 4})):
            config = diffusers.DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012).config
            scheduler = stride.diffusers.scheduler(sampler, config, **settings)
            levels = dict(zip(scheduler.timesteps.tolist(), scheduler.levels))
            state = self.noise * scheduler.init_noise_sigma
            for t in scheduler.timesteps:
                sigma = levels[t.item()]
                x = state * (1.0 + sigma**2) ** 0.5
                epsilon = (x - points(x, torch.full((4,), sigma, dtype=torch.float64))) / sigma
                state = scheduler.step(epsilon, t, scheduler.scale_model_input(state, t)).prev_sample
            grid = {} if sampler is PLAN else {"sigmas": scheduler.table.sigmas}
            torch.testing.assert_close(state, self.own(sampler, **grid), rtol=1e-9, atol=1e-9)


if __name__ == "__main__":
    unittest.main()
