"""Weights that nobody here made, out of wheels of the package index: skipped, by name, where pip cannot fetch them."""

import importlib.util
import os
import subprocess
import sys
import types
import unittest
import zipfile
from pathlib import Path

import consistency_loop
import torch
from commands import ExportCase
from stride_export import perceptual, terrain
from stride_export.package import relative_error, runner

CACHE = Path(os.environ.get("STRIDE_CACHE") or Path.home() / ".cache" / "stride") / "wheels"


def wheel(requirement):
    """Fetched once."""
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(CACHE.glob(pattern)):
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary=:all:", "--dest", str(CACHE), requirement]
        if subprocess.run(command).returncode != 0:
            raise unittest.SkipTest(f"pip cannot fetch {requirement} here")
    return next(CACHE.glob(pattern))


def original(folder):
    """stlpips_pytorch's own code, with what it imports and does not use for its distance left out."""
    with zipfile.ZipFile(wheel(perceptual.REQUIREMENT)) as archive:
        archive.extractall(folder)
    for name, attributes in (("IPython", {"embed": None}), ("torchsummary", {"summary": None}),
                             ("torchvision.models", {}), ("torchvision", {"models": None})):
        if importlib.util.find_spec(name.partition(".")[0]) is None or name in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            for key, value in attributes.items():
                setattr(sys.modules[name], key, value)
    sys.path.insert(0, str(folder))
    from stlpips_pytorch import stlpips
    return stlpips.LPIPS


class Real(ExportCase):
    def test_terrain(self):
        """One- and two-step samples of the exported network are ONNX Runtime's."""
        file = self.folder / "terrain.onnx"
        out = self.export("terrain", "--wheel", wheel(terrain.REQUIREMENT), "--keep", file)
        card, _ = self.check_probe(out)
        self.assertEqual([card[key] for key in ("shape", "prediction", "time", "sigma_min", "sigma_max", "conditions")],
                         [[1, 128, 128], "denoised", "sigma", 0.002, 80.0, [{"name": "difficulty", "shape": [1]}]])
        denoise, network = consistency_loop.denoiser(file), runner(out / "network.pt", "torchscript", "cpu")

        def mine(noisy, sigma, difficulty):
            with torch.no_grad():
                return network(torch.from_numpy(noisy), torch.full((len(noisy),), sigma),
                               torch.from_numpy(difficulty)[:, None]).numpy()
        noise, eps = (consistency_loop.unit_normals(seed, shape) for seed, shape in
                      ((1, (2, 1, 128, 128)), (2, (1, 2, 1, 128, 128))))
        difficulty = torch.tensor([0.2, 0.9]).numpy()
        for sigmas in ([80.0], [80.0, 0.661]):
            expected, found = (torch.from_numpy(consistency_loop.sample(each, noise, eps, sigmas, difficulty))
                               for each in (denoise, mine))
            self.assertLess((expected - found).abs().max(), 1e-4)
            self.assertGreater(expected.std(), 0.05)

    def test_perceptual_distance(self):
        """Squared distances of the features are the package's distances."""
        distance = original(self.folder / "package")
        for net in perceptual.FILES:
            with self.subTest(net):
                out = self.export("perceptual", "--net", net, "--wheel", wheel(perceptual.REQUIREMENT),
                                  out=self.folder / net)
                self.card(out, "features")
                network = runner(out / "features.pt", "torchscript", "cpu")
                theirs = distance(net=net, variant="shift_tolerant", verbose=False).eval()
                for side in (32, 45):
                    a = 2 * torch.rand(3, 3, side, side) - 1
                    b = (a + 0.3 * torch.randn_like(a)).clamp(-1, 1)
                    with torch.no_grad():
                        features = network(torch.cat([a, b])).double()
                        expected = theirs(a, b).flatten().double()
                    found = (features[:3] - features[3:]).square().sum(1)
                    self.assertLess((found - expected).abs().max(), 1e-5)
                    self.assertLess(relative_error(found, expected), 1e-5)
                    self.assertGreater(expected.min(), 1e-3)


if __name__ == "__main__":
    unittest.main()
