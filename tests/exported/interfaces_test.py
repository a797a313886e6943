"""Exported samplers under k-diffusion's own wrappers of networks, and as ComfyUI's nodes, against `stride sample`.

ComfyUI is no package: a stand-in has what its custom samplers are documented to meet (KSAMPLER, the model it wraps, its
samplings of noise and of flow times).
"""

import sys
import types
import unittest
from unittest import mock

import numpy as np
import torch
from exported import MODULES, PLANS, ROOT, Place, denoise_torch, plan, relative

LIMIT = 1e-6
FLOW_PLAN = plan([150.0, 9.0, 2.1, 0.7, 0.2, 0.0])


class EPS:
    """Noise levels are σ, states x = data + σ·noise."""

    @staticmethod
    def noise_scaling(sigma, noise, latent, max_denoise):
        return noise * (1.0 + sigma**2) ** 0.5 + latent if max_denoise else noise * sigma + latent

    @staticmethod
    def inverse_noise_scaling(sigma, latent):
        return latent

    @staticmethod
    def denoised(x, sigma):
        return denoise_torch(x, sigma)


class CONST:
    """Noise levels are flow times s, states (1 − s)·data + s·noise."""

    @staticmethod
    def noise_scaling(sigma, noise, latent, max_denoise):
        return sigma * noise + (1.0 - sigma) * latent

    @staticmethod
    def inverse_noise_scaling(sigma, latent):
        return latent / (1.0 - sigma)

    @staticmethod
    def denoised(x, sigma):
        left = (1.0 - sigma)[:, None]
        return denoise_torch(x / left, sigma / (1.0 - sigma))


def sampling_of(kind):
    return type("ModelSampling", (kind,), {})()


class Wrapped:
    """What a sampler's function calls: model(x, sigma, denoise_mask, model_options, seed); its sampling lies inside."""

    def __init__(self, sampling):
        self.inner_model = types.SimpleNamespace(inner_model=types.SimpleNamespace(model_sampling=sampling))
        self.sampling = sampling

    def __call__(self, x, sigma, denoise_mask=None, model_options=None, seed=None):
        return self.sampling.denoised(x, sigma)


class KSAMPLER:
    """comfy.samplers.KSAMPLER: a function and its options, run between the sampling's two scalings."""

    def __init__(self, sampler_function, extra_options=None, inpaint_options=None):
        self.sampler_function, self.extra_options = sampler_function, extra_options or {}

    def sample(self, model, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=True,
               max_denoise=False):
        sampling = model.inner_model.inner_model.model_sampling
        x = sampling.noise_scaling(sigmas[0], noise, latent_image, max_denoise)

        def shown(values):
            callback(values["i"], values["denoised"], values["x"], len(sigmas) - 1)

        samples = self.sampler_function(model, x, sigmas, extra_args={**extra_args, "denoise_mask": denoise_mask}, callback=shown,
                                        disable=disable_pbar, **self.extra_options)
        return sampling.inverse_noise_scaling(sigmas[-1], samples)


def comfy():
    samplers = types.ModuleType("comfy.samplers")
    samplers.KSAMPLER = KSAMPLER
    package = types.ModuleType("comfy")
    package.samplers = samplers
    return mock.patch.dict(sys.modules, {"comfy": package, "comfy.samplers": samplers})


class Model:
    """A MODEL on a wire."""

    def __init__(self, sampling):
        self.sampling = sampling

    def get_model_object(self, name):
        return {"model_sampling": self.sampling}[name]


def made(mappings, word, inputs):
    """What a node gives, called as ComfyUI's executor calls one; its interface is looked at on the way."""
    name, node = next((name, node) for name, node in mappings.items() if word in name)
    asked = node.INPUT_TYPES()["required"]
    assert set(asked) == set(inputs), name
    for key, value in inputs.items():
        kind = asked[key][0]
        assert value in kind if isinstance(kind, list) else kind == kind.upper(), (name, key)
    assert isinstance(node.CATEGORY, str) and len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == 1
    out = getattr(node(), node.FUNCTION)(**inputs)
    assert isinstance(out, tuple) and len(out) == 1
    return node.RETURN_TYPES[0], out[0]


class Interfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Place()
        cls.addClassCleanup(cls.place.close)
        for name, table in {**PLANS, "flow": FLOW_PLAN}.items():
            cls.place.write(f"{name}.json", table)
        cls.noise = torch.from_numpy(cls.place.start)

    def wanted(self, name, *words):
        return self.place.sample(f"plan:{name}.json", *words)[0]

    def run_nodes(self, mappings, choice, sampling, **options):
        with comfy():
            kind, sigmas = made(mappings, "Sigmas", {"model": Model(sampling), "plan": choice})
            self.assertEqual((kind, sigmas.dtype, sigmas.ndim), ("SIGMAS", torch.float32, 1))
            kind, sampler = made(mappings, "Sampler", {"plan": choice})
            self.assertEqual(kind, "SAMPLER")
            steps = []
            found = sampler.sample(Wrapped(sampling), sigmas, {"model_options": {}, "seed": 1}, lambda *seen: steps.append(seen),
                                   self.noise, torch.zeros_like(self.noise), **options)
            self.assertEqual([step[0] for step in steps], list(range(len(sigmas) - 1)))
            return found

    def test_comfyui_noise(self):
        for name in PLANS:
            with self.subTest(name):
                mappings = self.place.export(f"{name}.json", "comfyui").NODE_CLASS_MAPPINGS
                self.assertEqual(set(mappings), {f"StrideSampler{name}", f"StrideSigmas{name}"})
                self.assertLess(relative(self.run_nodes(mappings, name, sampling_of(EPS)), self.wanted(name)), LIMIT)
                most = self.run_nodes(mappings, name, sampling_of(EPS), max_denoise=True)
                self.assertLess(relative(most, self.wanted(name, "--init-scale", "vp")), LIMIT)

    def test_comfyui_flow(self):
        for name in ("flow", "sigma_min"):
            with self.subTest(name):
                mappings = self.place.export(f"{name}.json", "comfyui").NODE_CLASS_MAPPINGS
                self.assertLess(relative(self.run_nodes(mappings, name, sampling_of(CONST)), self.wanted(name)), LIMIT)

    def test_comfyui_other_levels(self):
        mappings = self.place.export("zero.json", "comfyui").NODE_CLASS_MAPPINGS
        with comfy(), self.assertRaisesRegex(ValueError, "runs on its own 6 levels"):
            _, sampler = made(mappings, "Sampler", {"plan": "zero"})
            sampler.sample(Wrapped(sampling_of(EPS)), torch.tensor([14.6, 1.0, 0.0]), {}, None, self.noise, 0.0 * self.noise)

    def test_comfyui_folder(self):
        """What stride.comfyui.install writes: several plans in one folder, imported as ComfyUI imports it."""
        import importlib.util

        stride = types.ModuleType("stride")  # its Python alone: the extension is not needed
        stride.__path__ = [str(MODULES.parent)]
        with mock.patch.dict(sys.modules, {"stride": stride}):
            from stride import comfyui

            nodes = self.place.folder / "custom_nodes"
            with self.assertRaisesRegex(FileNotFoundError, "custom_nodes"):
                comfyui.install(nodes, PLANS["zero"])
            nodes.mkdir()
            with self.assertRaisesRegex(ValueError, "not a plan"):
                comfyui.install(nodes, {"format": "x"})
            self.assertEqual(list(nodes.iterdir()), [])
            folder = comfyui.install(nodes, self.place.folder / "zero.json")
            comfyui.install(nodes, {"sigma_min": PLANS["sigma_min"]})
        spec = importlib.util.spec_from_file_location("custom_nodes_stride", folder / "__init__.py",
                                                      submodule_search_locations=[str(folder)])
        package = importlib.util.module_from_spec(spec)
        with mock.patch.dict(sys.modules, {spec.name: package}):
            spec.loader.exec_module(package)
        for name in ("zero", "sigma_min"):
            found = self.run_nodes(package.NODE_CLASS_MAPPINGS, name, sampling_of(EPS))
            self.assertLess(relative(found, self.wanted(name)), LIMIT)

    def test_k_diffusion(self):
        """Beside k-diffusion's own samplers, on its wrapper of a network that predicts noise at timesteps."""
        sys.path.insert(0, str(ROOT / "tests" / "parity"))
        from kdiffusion import sampling
        from k_diffusion import external  # noqa: I001: of the package that kdiffusion makes

        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        kept = (1.0 - betas).cumprod(0)
        levels = ((1.0 - kept) / kept).sqrt()

        class Network(torch.nn.Module):
            """ε of the mixture, from what an ε network sees."""

            def forward(self, x, t, label=None):
                low, share = t.floor().long().clamp(0, 998), t - t.floor().clamp(0, 998)
                sigma = torch.lerp(levels.log()[low], levels.log()[low + 1], share).exp()[:, None]
                whole = x * (1.0 + sigma**2).sqrt()
                return (whole - denoise_torch(whole, sigma[:, 0])) / sigma

        model = external.DiscreteEpsDDPMDenoiser(Network(), kept, quantize=False)
        table = plan([14.0, 6.1, 2.0, 0.6, 0.2, 0.0])
        self.place.write("latent.json", table)
        exported = self.place.export("latent.json", "k-diffusion")
        x = self.noise * exported.get_sigmas()[0].double()
        seen = []
        found = exported.sample_stride(model, x, sigmas=exported.get_sigmas(), extra_args={"label": 1}, callback=seen.append, disable=True)
        self.assertLess(relative(found, self.wanted("latent")), LIMIT)
        theirs = []
        sampling.sample_euler(model, x, exported.get_sigmas(), callback=theirs.append, disable=True)
        self.assertEqual([set(one) for one in seen], [set(one) for one in theirs])
        for ours, other in zip(seen, theirs):
            self.assertEqual([getattr(ours[key], "shape", ()) for key in ours], [getattr(other[key], "shape", ()) for key in ours])
            np.testing.assert_allclose(float(ours["sigma"]), float(other["sigma"]), rtol=1e-6)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
