"""Tiny networks and pipelines with random weights, in the formats that people have them in."""

import json

import torch
from diffusers import (AutoencoderKL, AutoencoderTiny, DDIMScheduler, DDPMPipeline, DDPMScheduler, EulerDiscreteScheduler,
                       FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel, SD3Transformer2DModel,
                       StableDiffusion3Pipeline, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel, UNet2DModel)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, PreTrainedTokenizerFast,
                          T5Config, T5EncoderModel)


def shaken(network):
    """Random weights everywhere: what starts at zero or one would hide faults."""
    generator = torch.Generator().manual_seed(sum(p.numel() for p in network.parameters()))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def unet(**options):
    settings = {"sample_size": 8, "in_channels": 3, "out_channels": 3, "block_out_channels": (8, 16), "layers_per_block": 1,
                "norm_num_groups": 4, "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
                "up_block_types": ("AttnUpBlock2D", "UpBlock2D"), "attention_head_dim": 8}
    return shaken(UNet2DModel(**{**settings, **options}))


def conditioned_unet(**options):
    settings = {"sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": (8, 16),
                "layers_per_block": 1, "norm_num_groups": 4, "cross_attention_dim": 16, "attention_head_dim": 8,
                "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}
    return shaken(UNet2DConditionModel(**{**settings, **options}))


def xl_unet(**options):
    return conditioned_unet(cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8,
                            projection_class_embeddings_input_dim=16 + 6 * 8, **options)


def sd3_transformer(channels=4):
    return shaken(SD3Transformer2DModel(sample_size=8, patch_size=2, in_channels=channels, out_channels=channels, num_layers=1,
                                        attention_head_dim=8, num_attention_heads=2, joint_attention_dim=32,
                                        caption_projection_dim=16, pooled_projection_dim=32, pos_embed_max_size=8))


def flux_transformer(guidance_embeds=True):
    return shaken(FluxTransformer2DModel(patch_size=1, in_channels=16, num_layers=1, num_single_layers=1,
                                         attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32,
                                         pooled_projection_dim=16, axes_dims_rope=(4, 4, 8),
                                         guidance_embeds=guidance_embeds))


def autoencoder(**options):
    settings = {"in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": (8, 16),
                "norm_num_groups": 4, "sample_size": 16, "layers_per_block": 1, "scaling_factor": 0.2,
                "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return shaken(AutoencoderKL(**{**settings, **options}))


def tiny_autoencoder():
    return shaken(AutoencoderTiny(encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
                                  num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1), latent_channels=4))


def clip(width, projection=None):
    config = CLIPTextConfig(hidden_size=width, intermediate_size=16, num_attention_heads=2, num_hidden_layers=2,
                            vocab_size=64, projection_dim=projection or width, max_position_embeddings=77, eos_token_id=63,
                            bos_token_id=62, pad_token_id=63)
    return shaken((CLIPTextModelWithProjection if projection else CLIPTextModel)(config))


def clip_tokenizer(folder):
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = [*letters, *(f"<{n}>" for n in range(62 - len(letters))), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def t5(width):
    return shaken(T5EncoderModel(T5Config(vocab_size=64, d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2)))


def t5_tokenizer():
    words = {word: place for place, word in enumerate(["<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                                   model_max_length=512)


def ddpm_pipeline(folder):
    DDPMPipeline(unet(), DDPMScheduler()).save_pretrained(str(folder))


def sd_pipeline(folder, **scheduler):
    settings = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False,
                "set_alpha_to_one": False, "steps_offset": 1, **scheduler}
    StableDiffusionPipeline(autoencoder(), clip(16), clip_tokenizer(folder.parent / f"{folder.name}-words"),
                            conditioned_unet(), DDIMScheduler(**settings), None, None,
                            requires_safety_checker=False).save_pretrained(str(folder))


def xl_pipeline(folder):
    words = clip_tokenizer(folder.parent / f"{folder.name}-words")
    StableDiffusionXLPipeline(autoencoder(), clip(16), clip(16, 16), words, words, xl_unet(),
                              EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085,
                                                     beta_end=0.012)).save_pretrained(str(folder))


def sd3_pipeline(folder, third=True, channels=4):
    words = clip_tokenizer(folder.parent / f"{folder.name}-words")
    StableDiffusion3Pipeline(sd3_transformer(channels), FlowMatchEulerDiscreteScheduler(shift=3.0),
                             autoencoder(scaling_factor=1.5, shift_factor=0.06, latent_channels=channels, use_quant_conv=False,
                                         use_post_quant_conv=False),
                             clip(16, 16), words, clip(16, 16), words, t5(32) if third else None,
                             t5_tokenizer() if third else None).save_pretrained(str(folder))


def flux_pipeline(folder):
    words = clip_tokenizer(folder.parent / f"{folder.name}-words")
    FluxPipeline(FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
                 autoencoder(scaling_factor=0.36, shift_factor=0.12), clip(16), words, t5(32), t5_tokenizer(),
                 flux_transformer()).save_pretrained(str(folder))
