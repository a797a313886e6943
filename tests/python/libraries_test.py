"""The module beside libraries that it does not need: diffusers, h5py, tqdm, torch.compile's output."""

import io
import tempfile
import unittest
from unittest import mock

import diffusers
import h5py
import torch

import stride
from support import two_points


class Libraries(unittest.TestCase):
    def test_a_diffusers_network(self):
        torch.manual_seed(0)
        net = diffusers.UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16), norm_num_groups=4,
                                    layers_per_block=1, down_block_types=("DownBlock2D",) * 2,
                                    up_block_types=("UpBlock2D",) * 2).eval()
        d = stride.Denoiser(net, (1, 8, 8), (0.01, 160.0), prediction="epsilon", noise_schedule="linear")
        r = stride.sample(d, "ddim", schedule="leading", steps=4, seeds=range(2), dtype="float32")
        scheduler = diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True)
        scheduler.set_timesteps(4)
        # diffusers keeps x in variance-preserving scale.
        sigma = r.sigmas[0]
        x = stride.sample(stride.Denoiser(lambda x, s: x, (1, 8, 8), (0.02, 100.0)), "euler", sigmas=[float(sigma), 0.0],
                          seeds=range(2)).x / (1 + sigma ** 2).sqrt().float()
        with torch.no_grad():
            for t in scheduler.timesteps:
                x = scheduler.step(net(x, t).sample, t, x).prev_sample
        self.assertLess((x - r.x).abs().max().item(), 1e-4 * x.abs().max().item())

    def test_shards_open_in_h5py(self):
        with tempfile.TemporaryDirectory() as folder:
            store = stride.record(two_points(), "heun:steps=3", seeds=range(4), out=folder + "/store")
            with h5py.File(store.files[0]) as file:
                found = {name: file[name][:] for name in ("x", "seed")}
            self.assertEqual(found["seed"].tolist(), [0, 1, 2, 3])
            self.assertTrue(torch.equal(torch.from_numpy(found["x"]), store.rows(range(4))["x"]))

    def test_a_bar_where_tqdm_is(self):
        with mock.patch("sys.stderr", new_callable=io.StringIO) as err:
            stride.sample(two_points(), steps=3, seeds=range(4), progress=True)
            self.assertIn("sampling", err.getvalue())
        with mock.patch("sys.stderr", new_callable=io.StringIO) as err:
            stride.sample(two_points(), steps=3, seeds=range(4))
            self.assertEqual(err.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
