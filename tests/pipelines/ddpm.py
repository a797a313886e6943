"""Pixels without a condition: DDPMPipeline, and DDIMPipeline for its scheduler."""

import sys

import torch
from harness import Case, Family, main, tiny

PLAIN = {"clip_sample": False}


class Pixels(Family):
    name = "DDPM"
    shape = (3, 8, 8)

    def make(self):
        tiny.ddpm_pipeline(self.source)
        self.unet = self.diffusers.UNet2DModel.from_pretrained(self.source, subfolder="unet")

    def class_of(self, case):
        return self.diffusers.DDIMPipeline if case.scheduler == "DDIMScheduler" else self.diffusers.DDPMPipeline

    def theirs(self, case, scheduler):
        pipeline = self.class_of(case)(self.unet, scheduler)
        pipeline.set_progress_bar_config(disable=True)
        ends, step = [], pipeline.scheduler.step

        def seen(*arguments, **options):
            # DDPMPipeline gives a generator to every scheduler.
            if case.scheduler in ("PNDMScheduler", "DEISMultistepScheduler", "UniPCMultistepScheduler"):
                options.pop("generator", None)
            out = step(*arguments, **options)
            ends.append(out.prev_sample)
            return out

        pipeline.scheduler.step = seen  # DDIMPipeline makes a scheduler of its own
        picture = pipeline(batch_size=len(self.start), num_inference_steps=case.steps, output_type="np", **case.call).images
        # What the pipeline returns is this, clamped.
        torch.testing.assert_close(torch.from_numpy(picture).permute(0, 3, 1, 2), (ends[-1] / 2 + 0.5).clamp(0, 1))
        return ends[-1]

    cases = (
        Case("DDPM", "DDPMScheduler", quick=True),
        Case("DDPM, fixed_large", "DDPMScheduler", {**PLAIN, "variance_type": "fixed_large"}),
        Case("DDIM", "DDIMScheduler", PLAIN, quick=True),
        Case("DDIM, η = 1", "DDIMScheduler", PLAIN, call={"eta": 1.0}, ours={"eta": 1.0}),
        Case("DDIM, clipped", "DDIMScheduler", row="clip_sample", apart=2.0),
        Case("DDIM, clipped, noise of the clipped image", "DDIMScheduler", call={"use_clipped_model_output": True}),
        Case("PNDM (PLMS)", "PNDMScheduler", {"skip_prk_steps": True}),
        Case("DPM++ 2M", "DPMSolverMultistepScheduler", quick=True),
        Case("DPM++ 3M", "DPMSolverMultistepScheduler", {"solver_order": 3}),
        Case("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
        Case("DPM-Solver 2", "DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
        Case("UniPC", "UniPCMultistepScheduler"),
        Case("DEIS", "DEISMultistepScheduler"),
        Case("DPM++ 2M, thresholding", "DPMSolverMultistepScheduler", {"thresholding": True, "sample_max_value": 1.5}),
    )


if __name__ == "__main__":
    sys.exit(main(Pixels))
