"""A UNet of Stable Diffusion 1.5's size with random weights, guided, beside diffusers' own pipeline."""

import gc
import time

import torch
from networks import SD15, SMALL, save_latent_unet
from safetensors.torch import save_file

STEPS, GUIDANCE = 20, 7.5


def pipeline_of(folder, device, dtype):
    """StableDiffusionPipeline without what encodes and decodes: it is given embeddings and returns latents."""
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).to(device).eval()
    scheduler = DPMSolverMultistepScheduler.from_pretrained(folder / "scheduler")
    pipeline = StableDiffusionPipeline(vae=None, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler,
                                       safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def settled():
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def their_steps(commands, folder, conditions, batches, rounds):
    """Milliseconds a step and peak bytes of the pipeline's loop, eager and with its network compiled."""
    options = commands.options
    device, dtype = options.device, getattr(torch, options.dtype)
    cuda = device.startswith("cuda")
    rows = []
    for variant in ("eager", "compile", "compile, CUDA graphs") if cuda else ("eager",):
        pipeline = pipeline_of(folder, device, dtype)
        side = pipeline.unet.config.sample_size * 8
        if variant != "eager":
            torch._dynamo.reset()
            mode = "reduce-overhead" if "graphs" in variant else None
            pipeline.unet = torch.compile(pipeline.unet, mode=mode, dynamic=False)
        for batch in batches:
            words = {name: value[:1].expand(batch, -1, -1).to(device, dtype) for name, value in conditions.items()}

            def run():
                return pipeline(prompt_embeds=words["encoder_hidden_states"], negative_prompt_embeds=words["negative.encoder_hidden_states"],
                                num_inference_steps=STEPS, guidance_scale=GUIDANCE, output_type="latent", height=side, width=side)

            with torch.no_grad():
                for _ in range(2):
                    run()
                settled()
                taken = []
                for _ in range(rounds):
                    begin = time.perf_counter()
                    run()
                    if cuda:
                        torch.cuda.synchronize()
                    taken.append((time.perf_counter() - begin) * 1e3 / STEPS)
            rows.append({"variant": variant, "batch": batch, "ms": sorted(taken)[len(taken) // 2], "range": [min(taken), max(taken)],
                         "peak_bytes": torch.cuda.max_memory_allocated() if cuda else 0})
        del pipeline
        settled()
    return rows


def measure(commands, table):
    options, folder = commands.options, commands.folder / "latents"
    folder.mkdir(exist_ok=True)
    batches = options.batches or ([1] if options.small else [1, 4])
    settings = SMALL if options.small else SD15
    parameters = save_latent_unet(folder, options.small, getattr(torch, options.dtype))
    torch.manual_seed(1)
    names = ("encoder_hidden_states", "negative.encoder_hidden_states")
    conditions = {name: torch.randn(1, 77, settings["cross_attention_dim"]) for name in names}
    cond = folder / "cond.safetensors"
    save_file(conditions, str(cond))

    # Guidance is one pass of twice the rows.
    sizes = ["--batches", ",".join(str(2 * batch) for batch in batches)] if options.kind == "aoti" else []
    begin = time.perf_counter()
    card = commands.export("diffusers_folder", folder / "unet", "--scheduler", folder / "scheduler", "--device", options.device,
                           "--dtype", options.dtype, "--kind", options.kind, *sizes, out=folder / "model")
    exporting = time.perf_counter() - begin
    guided = ["--model", card, "--trust-model", "--dtype", options.dtype, "--cond", cond, "--guidance", str(GUIDANCE)]
    ours = []
    for batch in batches:
        found = commands.results("evaluate", *guided, "--solver", "dpmpp_2m", "--steps", str(STEPS), "--schedule", "leading",
                              "--teacher", "dpmpp_2m:steps=1", "--seeds", f"0-{8 * batch - 1}", "--batch", batch, "--blocks", "8",
                              outdir=folder / f"ours-{batch}")
        row = found["samplers"][0]
        taken = sorted(block["seconds"] * 1e3 / STEPS for block in row["blocks"])
        ours.append({"variant": "Stride", "batch": batch, "ms": row["cost"]["seconds"] * 1e3 / 8 / STEPS,
                     "range": [taken[0], taken[-1]], "peak_bytes": row["cost"]["peak_bytes"]})
    theirs = their_steps(commands, folder, conditions, batches, 3 if options.small else 5)
    rows = sorted(theirs + ours, key=lambda row: (row["batch"], row["variant"]))
    best = {batch: next(row["ms"] for row in ours if row["batch"] == batch) for batch in batches}
    table(f"{parameters:,} parameters, {options.dtype}, guidance {GUIDANCE}, {STEPS} steps of DPM++ 2M (exported in {exporting:.0f} s)",
          ["batch", "loop", "ms a step", "range", "its time / Stride's", "peak memory, GB"],
          [[row["batch"], row["variant"], f"{row['ms']:.2f}", f"{row['range'][0]:.2f} to {row['range'][1]:.2f}",
            f"{row['ms'] / best[row['batch']]:.3f}", f"{row['peak_bytes'] / 1e9:.2f}"] for row in rows])

    plan, seeds = folder / "plan5.json", ["--seeds", "0-7", "--val-seeds", "100-107"]
    begin = time.perf_counter()
    commands.stride("fit", *guided, "--nfe", "5", *seeds, "--teacher", f"dpmpp_2m:steps={STEPS}", "--iterations", "4", "--restarts", "1",
                    "--batch", "4", "--plan-out", plan, "--outdir", folder / "fit")
    fitting = time.perf_counter() - begin
    found = commands.results("evaluate", *guided, "--solver", f"plan:{plan}", "--solver", "dpmpp_2m", "--solver", "ipndm", "--nfe", "5",
                          "--teacher", f"dpmpp_2m:steps={STEPS}", "--seeds", "1000-1015", "--batch", "4", outdir=folder / "plans")
    plans = [[row["sampler"], row["metrics"]["rmse"]] for row in found["samplers"]]
    table(f"5 evaluations, RMSE to dpmpp_2m in {STEPS} steps on other seeds (fitted in {fitting:.0f} s)", ["sampler", "RMSE"],
          [[name.split("/")[-1], f"{each['value']:.4g} ({each['low']:.4g} to {each['high']:.4g})"] for name, each in plans])
    return {"parameters": parameters, "steps": rows, "plans": plans, "export_seconds": exporting, "fit_seconds": fitting}
