"""diffusers' folders: what the exported networks are told and return is what diffusers' own pipelines make of them."""

import json
import unittest

import diffusers
import tiny
import torch
from commands import ExportCase, run, tensors_of
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler, FluxPipeline
from stride_export import schedules
from stride_export.writer import grid_of

EXACT = {"atol": 2e-6, "rtol": 2e-5}


def conditions_of(probe):
    return {name.removeprefix("condition."): each for name, each in probe.items() if name.startswith("condition.")}


def denoised(card, x, sigma, out):
    """D(x; σ) by the table of docs/library.md, of the network's answer `out`."""
    if card["prediction"] == "epsilon":
        return x - sigma * out
    if card["prediction"] == "v_prediction":
        return x / (1 + sigma ** 2) - sigma / (1 + sigma ** 2) ** 0.5 * out
    return x / (1 + sigma) - sigma / (1 + sigma) * out


class Networks(ExportCase):
    """Each network by itself: a folder and what is told by options."""

    def saved(self, network, name="network"):
        network.save_pretrained(str(self.folder / name))
        return self.folder / name

    def test_unet(self):
        network = tiny.unet(num_class_embeds=10)
        card, probe = self.check_probe(self.export(
            "diffusers_folder", self.saved(network), "--prediction", "v_prediction", "--time", "timestep",
            "--noise-schedule", "cosine:steps=500"))
        self.assertEqual(card["conditions"], [{"name": "class", "classes": 10}])
        self.assertEqual((card["shape"], card["prediction"], probe["time"].max()), ([3, 8, 8], "v_prediction", 499))
        with torch.no_grad():
            expected = network(probe["input"], probe["time"], probe["condition.class"]).sample
        torch.testing.assert_close(probe["output"], expected, **EXACT)

    def test_unet_with_text_labels_and_guidance(self):
        network = tiny.conditioned_unet(num_class_embeds=4, time_cond_proj_dim=8)
        (self.folder / "scheduler_config.json").write_text(json.dumps({"_class_name": "LCMScheduler"}))
        card, probe = self.check_probe(self.export("diffusers_folder", self.saved(network), "--tokens", "6", "--scheduler",
                                                   self.folder))
        self.assertEqual(card["conditions"], [{"name": "encoder_hidden_states", "shape": [6, 16]},
                                              {"name": "class", "classes": 4},
                                              {"name": "guidance", "guidance": True, "default": 8.5}])
        given = conditions_of(probe)
        embed = diffusers.LatentConsistencyModelPipeline.get_guidance_scale_embedding
        with torch.no_grad():
            expected = network(probe["input"], probe["time"], given["encoder_hidden_states"], class_labels=given["class"],
                               timestep_cond=embed(None, given["guidance"] - 1, 8)).sample
        torch.testing.assert_close(probe["output"], expected, **EXACT)

    def test_xl_unet(self):
        network = tiny.xl_unet()
        (self.folder / "s.json").write_text(json.dumps({"_class_name": "EulerDiscreteScheduler"}))
        card, probe = self.check_probe(self.export("diffusers_folder", self.saved(network), "--scheduler",
                                                   self.folder / "s.json"))
        self.assertEqual([(each["name"], each["shape"]) for each in card["conditions"]],
                         [("encoder_hidden_states", [77, 32]), ("text_embeds", [16]), ("time_ids", [6])])
        given = conditions_of(probe)
        added = {"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]}
        with torch.no_grad():
            expected = network(probe["input"], probe["time"], given["encoder_hidden_states"], added_cond_kwargs=added).sample
        torch.testing.assert_close(probe["output"], expected, **EXACT)

    def test_sd3(self):
        network = tiny.sd3_transformer()
        (self.folder / "s.json").write_text(json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}))
        card, probe = self.check_probe(self.export("diffusers_folder", self.saved(network), "--tokens", "9", "--scheduler",
                                                   self.folder / "s.json"))
        self.assertEqual((card["prediction"], card["time"], card["shape"]), ("flow", "flow_t", [4, 8, 8]))
        given = conditions_of(probe)
        with torch.no_grad():
            expected = network(probe["input"], given["encoder_hidden_states"], given["pooled_projections"],
                               1000 * probe["time"]).sample
        torch.testing.assert_close(probe["output"], expected, **EXACT)

    def test_flux(self):
        network = tiny.flux_transformer()
        (self.folder / "s.json").write_text(json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler",
                                                        "use_dynamic_shifting": True, "max_shift": 1.2}))
        card, probe = self.check_probe(self.export("diffusers_folder", self.saved(network), "--tokens", "9", "--scheduler",
                                                   self.folder / "s.json", "--shape", "4,6,8"))
        self.assertEqual(card["conditions"][2], {"name": "guidance", "guidance": True, "default": 3.5})
        self.assertEqual((card["noise_schedule"]["seq_len"], card["noise_schedule"]["max_shift"]), (12, 1.2))
        given, rows = conditions_of(probe), len(probe["input"])
        packed = FluxPipeline._pack_latents(probe["input"], rows, 4, 6, 8)
        places = FluxPipeline._prepare_latent_image_ids(rows, 3, 4, "cpu", torch.float32)
        with torch.no_grad():
            out = network(packed, given["encoder_hidden_states"], given["pooled_projections"], probe["time"], places,
                          torch.zeros(9, 3), given["guidance"]).sample
        torch.testing.assert_close(probe["output"], FluxPipeline._unpack_latents(out, 6 * 8, 8 * 8, 8), **EXACT)

    def test_decoders(self):
        mean, deviation = [0.1, 0.2, 0.3, 0.4], [1.0, 1.5, 2.0, 2.5]
        for name, network, scale in (
                ("kl", tiny.autoencoder(), 0.2), ("tiny", tiny.tiny_autoencoder(), 1.0),
                ("by-channel", tiny.autoencoder(latents_mean=mean, latents_std=deviation), 1.0)):
            with self.subTest(name):
                options = [] if name == "kl" else ["--shape", "4,8,8"]
                card, probe = self.check_probe(self.export("diffusers_folder", self.saved(network, name), *options,
                                                           out=self.folder / f"{name}-out"), "decoder")
                self.assertEqual((card["in_shape"], card["out_shape"], card["scale"], card["shift"]),
                                 ([4, 8, 8], [3, 16, 16], scale, 0.0))
                z = probe["input"]
                if name == "by-channel":
                    z = z * torch.tensor(deviation)[:, None, None] / 0.2 + torch.tensor(mean)[:, None, None]
                with torch.no_grad():
                    torch.testing.assert_close(probe["output"], network.decode(z).sample, **EXACT)

    def test_refusals(self):
        unet, out = self.saved(tiny.unet(), "unet"), ["--out", self.folder / "bad", "--kind", "torchscript"]
        inpainting = self.saved(tiny.conditioned_unet(in_channels=9), "inpainting")
        kandinsky = self.saved(tiny.conditioned_unet(addition_embed_type="text", addition_embed_type_num_heads=2), "other")
        (self.folder / "cm.json").write_text(json.dumps({"_class_name": "CMStochasticIterativeScheduler"}))
        (self.folder / "bad.json").write_text("{")
        (self.folder / "strange").mkdir()
        (self.folder / "strange" / "config.json").write_text('{"_class_name": "PriorTransformer"}')
        pickled = self.saved(tiny.unet(), "pickled")
        for path in pickled.glob("*.safetensors"):
            path.rename(path.with_suffix(".bin"))
        plain = ["--prediction", "epsilon", "--time", "timestep", "--noise-schedule", "linear"]
        for code, words, options in (
                (3, "nothing is downloaded", [self.folder / "none"]), (3, "neither model_index.json", [self.folder]),
                (2, "does not say what it predicts", [unet]), (3, "takes 9 channels and returns 4", [inpainting, *plain]),
                (3, "addition_embed_type = text", [kandinsky, *plain]), (3, "PriorTransformer", [self.folder / "strange"]),
                (3, "CMStochasticIterativeScheduler", [unet, "--scheduler", self.folder / "cm.json"]),
                (3, "is not JSON", [unet, "--scheduler", self.folder / "bad.json"]), (2, "--trust-model", [pickled, *plain])):
            with self.subTest(words):
                self.refused(code, words, "diffusers_folder", *options, *out)


class Pipelines(ExportCase):
    """Whole pipelines: parameterisation, decoder, prompts."""

    def setUp(self):
        super().setUp()
        self.enterContext(torch.no_grad())

    def pipeline(self, make, **options):
        source = self.folder / make.__name__
        make(source, **options)
        return source, self.export("diffusers_folder", source)

    def compare_step(self, card, probe, scheduler, network, place):
        """D from the card against what the scheduler's own step makes of the same answer."""
        scheduler.set_timesteps(10)
        time, x = scheduler.timesteps[place], probe["input"]
        flow = card["prediction"] == "flow"
        with torch.no_grad():
            out = network(x, time)
        if flow:
            s = scheduler.sigmas[place]
            sigma, theirs = s / (1 - s), x - s * out
        else:
            alpha = scheduler.alphas_cumprod[int(time)]
            sigma, theirs = ((1 - alpha) / alpha) ** 0.5, scheduler.step(out, time, x).pred_original_sample
        x_edm = x * (1 + sigma) if flow else x * (1 + sigma ** 2) ** 0.5
        torch.testing.assert_close(denoised(card, x_edm, sigma, out), theirs, atol=1e-4, rtol=1e-4)
        return sigma

    def test_ddpm(self):
        source, out = self.pipeline(tiny.ddpm_pipeline)
        card, probe = self.check_probe(out)
        self.assertEqual((card["prediction"], card["time"], card["interpolation"]), ("epsilon", "timestep", "linear"))
        scheduler = DDIMScheduler.from_pretrained(source, subfolder="scheduler", clip_sample=False)
        network = diffusers.UNet2DModel.from_pretrained(source, subfolder="unet")
        self.compare_step(card, probe, scheduler, lambda x, t: network(x, t).sample, 4)
        sigmas = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5
        self.assertAlmostEqual(card["sigma_max"] / sigmas[-1].item(), 1, 4)
        self.assertAlmostEqual(card["sigma_min"] / sigmas[0].item(), 1, 3)  # there 1 − ᾱ is cut to float32
        self.assertTrue((out / "scheduler_config.json").exists())
        self.assertFalse((out / "decoder").exists() or (out / "encoders").exists())

    def test_stable_diffusion(self):
        source, out = self.pipeline(tiny.sd_pipeline, prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                    timestep_spacing="trailing")
        card, probe = self.check_probe(out)
        self.assertEqual((card["prediction"], card["sigma_max"]), ("v_prediction", 4096.0))
        self.assertTrue(card["noise_schedule"]["rescale_zero_snr"])
        self.check_probe(out / "decoder", "decoder")
        scheduler = DDIMScheduler.from_pretrained(source, subfolder="scheduler")
        network = diffusers.UNet2DConditionModel.from_pretrained(source, subfolder="unet")
        words = probe["condition.encoder_hidden_states"]
        self.compare_step(card, probe, scheduler, lambda x, t: network(x, t, words).sample, 5)
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(source, safety_checker=None)
        expected = pipeline.encode_prompt("a cat", "cpu", 1, True, "dog")
        self.check_prompt(out, card, {"encoder_hidden_states": expected[0][0]}, {"encoder_hidden_states": expected[1][0]})

    def check_prompt(self, out, card, positive, negative, *options):
        file = self.folder / "cond.safetensors"
        done = run("prompt", out, "a cat", "--negative", "dog", "--out", file, *options)
        self.assertEqual(done.code, 0, done.err)
        found, metadata = tensors_of(file)
        self.assertEqual((metadata["prompt"], metadata["negative_prompt"]), ("a cat", "dog"))
        shapes = {each["name"]: each["shape"] for each in card["conditions"] if "shape" in each}
        self.assertEqual({name: list(each.shape) for name, each in found.items() if "." not in name}, shapes)
        for name, value in positive.items():
            torch.testing.assert_close(found[name], value, **EXACT)
        for name, value in negative.items():
            torch.testing.assert_close(found[f"negative.{name}"], value, **EXACT)
        return found

    def test_stable_diffusion_xl(self):
        source, out = self.pipeline(tiny.xl_pipeline)
        card, _ = self.check_probe(out)
        pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(source)
        p, n, pp, np = pipeline.encode_prompt("a cat", negative_prompt="dog", device="cpu")
        ids = pipeline._get_add_time_ids((16, 16), (0, 0), (16, 16), torch.float32, 16)[0]
        self.check_prompt(out, card, {"encoder_hidden_states": p[0], "text_embeds": pp[0], "time_ids": ids},
                          {"encoder_hidden_states": n[0], "text_embeds": np[0], "time_ids": ids})
        found = self.check_prompt(out, card, {}, {}, "--size", "20,24", "--crop", "1,2")
        self.assertEqual(found["time_ids"].tolist(), [20, 24, 1, 2, 20, 24])

    def test_stable_diffusion_3(self):
        source, out = self.pipeline(tiny.sd3_pipeline)
        card, probe = self.check_probe(out)
        self.assertEqual(card["noise_schedule"], {"kind": "flow", "steps": 1000, "shift": 3.0})
        decoder, _ = self.check_probe(out / "decoder", "decoder")
        self.assertEqual((decoder["scale"], decoder["shift"]), (1.5, 0.06))
        given = conditions_of(probe)
        network = diffusers.SD3Transformer2DModel.from_pretrained(source, subfolder="transformer")
        self.compare_step(card, probe, FlowMatchEulerDiscreteScheduler.from_pretrained(source, subfolder="scheduler"),
                          lambda x, t: network(x, given["encoder_hidden_states"], given["pooled_projections"],
                                               t.expand(len(x))).sample, 4)
        pipeline = diffusers.StableDiffusion3Pipeline.from_pretrained(source)
        p, n, pp, np = pipeline.encode_prompt("a cat", None, None, negative_prompt="dog", device="cpu")
        self.check_prompt(out, card, {"encoder_hidden_states": p[0], "pooled_projections": pp[0]},
                          {"encoder_hidden_states": n[0], "pooled_projections": np[0]})

    def test_stable_diffusion_3_without_its_third_encoder(self):
        _, out = self.pipeline(tiny.sd3_pipeline, third=False)
        found = self.check_prompt(out, self.card(out), {}, {})
        self.assertEqual(found["encoder_hidden_states"][77:].abs().max(), 0)

    def test_flux(self):
        source = self.folder / "flux"
        tiny.flux_pipeline(source)
        out = self.export("diffusers_folder", source, "--shape", "4,8,8")
        card, _ = self.check_probe(out)
        decoder, _ = self.check_probe(out / "decoder", "decoder")
        self.assertEqual((decoder["in_shape"], decoder["scale"], decoder["shift"]), ([4, 8, 8], 0.36, 0.12))
        pipeline = diffusers.FluxPipeline.from_pretrained(source)
        p, pp, _ = pipeline.encode_prompt("a cat", None, device="cpu")
        n, np, _ = pipeline.encode_prompt("dog", None, device="cpu")
        self.check_prompt(out, card, {"encoder_hidden_states": p[0], "pooled_projections": pp[0]},
                          {"encoder_hidden_states": n[0], "pooled_projections": np[0]})

    def test_what_to_run_next(self):
        self.assertEqual(grid_of({"kind": "flow", "steps": 1000, "shift": 3.0}), "flow:shift=3.0")
        self.assertEqual(grid_of({"kind": "flow", "seq_len": 16, "base_shift": 0.5, "max_shift": 1.2}),
                         "flow:seq_len=16,max_shift=1.2")
        self.assertEqual((grid_of({"kind": "flow"}), grid_of({"kind": "linear"})), ("flow", "trailing"))

    def test_trained_betas_and_edm(self):
        keys = schedules.from_scheduler({"trained_betas": [0.1, 0.2], "_class_name": "DDPMScheduler"}, "here", 1)
        self.assertEqual(keys["noise_schedule"], {"kind": "custom", "file": "betas.txt", "of": "betas"})
        self.assertAlmostEqual(keys["sigma_max"], ((1 - 0.72) / 0.72) ** 0.5)
        keys = schedules.from_scheduler({"_class_name": "EDMEulerScheduler", "prediction_type": "v_prediction"}, "here", 1)
        self.assertEqual((keys["prediction"], keys["time"], keys["negate"]), ("edm", "c_noise", True))
        scheduler = diffusers.EDMEulerScheduler(prediction_type="v_prediction")
        x, out, sigma = torch.randn(2, 3), torch.randn(2, 3), torch.tensor(0.7)
        total = sigma ** 2 + 0.25  # the card's table with the answer negated, against the scheduler's own
        mine = 0.25 / total * x + sigma * 0.5 / total.sqrt() * -out
        torch.testing.assert_close(mine, scheduler.precondition_outputs(x, out, sigma))

    def export_sd_without_safetensors(self):
        source = self.folder / "pickled"
        tiny.sd_pipeline(source)
        out = self.export("diffusers_folder", source, "--no-decoder", out=self.folder / "pickled-out")
        self.assertFalse((out / "decoder").exists())
        for path in (out / "encoders").glob("*/*.safetensors"):
            path.rename(path.parent / "pytorch_model.bin")
        return source, out

    def test_a_prompt_needs_encoders(self):
        _, out = self.pipeline(tiny.ddpm_pipeline)
        self.refused(3, "holds no prompt encoders", "prompt", out, "a cat", "--out", self.folder / "c")
        _, out = self.export_sd_without_safetensors()
        self.refused(3, "--trust-model", "prompt", out, "a cat", "--out", self.folder / "c")
        self.refused(3, "no such folder", "prompt", self.folder / "none", "a cat", "--out", self.folder / "c")


if __name__ == "__main__":
    unittest.main()
