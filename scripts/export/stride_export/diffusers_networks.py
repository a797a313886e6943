"""diffusers' networks in the one form that Stride calls: network(input, time, *conditions)."""

import contextlib
import math

import torch
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn import functional

from .errors import ExportError
from .model import Condition

CLIP_TOKENS, T5_TOKENS, FLUX_TOKENS = 77, 256, 512


class PlainUNet(nn.Module):
    """UNet2DModel."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, x, timestep, *labels):
        return self.unet(x, timestep, *labels, return_dict=False)[0]


class ConditionedUNet(nn.Module):
    """UNet2DConditionModel; `names` are those of its conditions, in the card's order."""

    def __init__(self, unet, names):
        super().__init__()
        self.unet, self.names = unet, tuple(names)

    def forward(self, x, timestep, *values):
        given = dict(zip(self.names, values))
        added = {name: given[name] for name in ("text_embeds", "time_ids") if name in given}
        scale = guidance_embedding(given["guidance"], self.unet.config.time_cond_proj_dim) if "guidance" in given else None
        return self.unet(x, timestep, encoder_hidden_states=given["encoder_hidden_states"],
                         class_labels=given.get("class"), timestep_cond=None if scale is None else scale.to(x.dtype),
                         added_cond_kwargs=added or None, return_dict=False)[0]


def guidance_embedding(scale, width):
    """[B] → [B, width], as consistency models are told the scale that they were distilled with (w = scale − 1)."""
    half = width // 2
    rates = torch.arange(half, dtype=torch.float32, device=scale.device) * -(math.log(10000.0) / (half - 1))
    phase = 1000.0 * (scale.float() - 1.0)[:, None] * rates.exp()[None]
    return functional.pad(torch.cat([phase.sin(), phase.cos()], 1), (0, width % 2))


class FlowTransformer(nn.Module):
    """SD3Transformer2DModel, which is told 1000·s of the flow time s."""

    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer

    def forward(self, x, time, encoder_hidden_states, pooled_projections):
        return self.transformer(hidden_states=x, timestep=1000.0 * time, encoder_hidden_states=encoder_hidden_states,
                                pooled_projections=pooled_projections, return_dict=False)[0]


class PackedTransformer(nn.Module):
    """FluxTransformer2DModel: latents [B, C, H, W] become tokens of 2 × 2 pixels and back."""

    def __init__(self, transformer, height, width, tokens):
        super().__init__()
        self.transformer = transformer
        rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
        places = torch.stack([torch.zeros_like(rows), rows, columns], -1).reshape(-1, 3)
        self.register_buffer("img_ids", places.float(), persistent=False)
        self.register_buffer("txt_ids", torch.zeros(tokens, 3), persistent=False)

    def forward(self, x, time, encoder_hidden_states, pooled_projections, *guidance):
        height, width = x.shape[2] // 2, x.shape[3] // 2
        packed = functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)
        out = self.transformer(hidden_states=packed, timestep=time, encoder_hidden_states=encoder_hidden_states,
                               pooled_projections=pooled_projections, guidance=guidance[0] if guidance else None,
                               img_ids=self.img_ids, txt_ids=self.txt_ids, return_dict=False)[0]
        return functional.pixel_shuffle(out.transpose(1, 2).unflatten(2, (height, width)), 2)


class Decode(nn.Module):
    """The decoder of an autoencoder; latents are scaled by channel first where it has means and deviations."""

    def __init__(self, vae, scale=None, shift=None):
        super().__init__()
        self.vae = vae
        self.by_channel = scale is not None
        if self.by_channel:
            self.register_buffer("scale", scale[:, None, None])
            self.register_buffer("shift", shift[:, None, None])

    def forward(self, z):
        if self.by_channel:
            z = z * self.scale + self.shift
        return self.vae.decode(z, return_dict=False)[0]


class Negated(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        return -self.network(*inputs)


def largest(value):
    return max(value) if isinstance(value, (list, tuple)) else value


def sides(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def need(config, where, allowed):
    """Settings that would need inputs which no card has."""
    for key, values in allowed.items():
        if config.get(key) not in values:
            raise ExportError(f"{where}: {key} = {config[key]}: such a network takes inputs that Stride has no card for; "
                              "wrap it and use export-module")


def conditioned_unet(unet, where, settings):
    config = unet.config
    need(config, where, {"addition_embed_type": (None, "text_time"), "encoder_hid_dim_type": (None, "text_proj"),
                         "class_embed_type": (None,)})
    width = config.get("encoder_hid_dim") or largest(config.cross_attention_dim)
    conditions = [Condition("encoder_hidden_states", [settings.tokens or CLIP_TOKENS, width])]
    if config.addition_embed_type == "text_time":
        ids = 5 if settings.aesthetics else 6
        pooled = config.projection_class_embeddings_input_dim - ids * config.addition_time_embed_dim
        conditions += [Condition("text_embeds", [pooled]), Condition("time_ids", [ids], largest=500.0)]
    if config.get("num_class_embeds"):
        conditions.append(Condition("class", classes=config.num_class_embeds))
    if config.get("time_cond_proj_dim"):
        conditions.append(Condition("guidance", guidance=True, default=8.5))
    return ConditionedUNet(unet, [each.name for each in conditions]), conditions


def plain_unet(unet, where, settings):
    config = unet.config
    need(config, where, {"time_embedding_type": ("positional", None)})
    classes = config.get("num_class_embeds")
    if config.get("class_embed_type") not in (None, "timestep") or (config.get("class_embed_type") and not classes):
        need(config, where, {"class_embed_type": (None,)})
    return PlainUNet(unet), [Condition("class", classes=classes)] if classes else []


def flow_transformer(transformer, where, settings):
    config = transformer.config
    tokens = settings.tokens or CLIP_TOKENS + T5_TOKENS
    return FlowTransformer(transformer), [Condition("encoder_hidden_states", [tokens, config.joint_attention_dim]),
                                          Condition("pooled_projections", [config.pooled_projection_dim])]


def packed_transformer(transformer, where, settings):
    config = transformer.config
    tokens = settings.tokens or FLUX_TOKENS
    height, width = settings.shape[1:]
    if height % 2 or width % 2:
        raise ExportError(f"--shape: {height} × {width} latents cannot be packed two by two")
    conditions = [Condition("encoder_hidden_states", [tokens, config.joint_attention_dim]),
                  Condition("pooled_projections", [config.pooled_projection_dim])]
    if config.guidance_embeds:
        conditions.append(Condition("guidance", guidance=True, default=3.5))
    return PackedTransformer(transformer, height, width, tokens), conditions


NETWORKS = {"UNet2DModel": plain_unet, "UNet2DConditionModel": conditioned_unet,
            "SD3Transformer2DModel": flow_transformer, "FluxTransformer2DModel": packed_transformer}
DECODERS = ("AutoencoderKL", "AutoencoderTiny")


def sample_shape(config, name):
    """[C, H, W] of what the network denoises, as its configuration has it; None where it does not say."""
    packed = name == "FluxTransformer2DModel"
    channels = config["in_channels"] // (4 if packed else 1)
    size = config.get("sample_size") or (128 if packed else None)
    return None if size is None else [channels, *sides(size)]


def check_channels(config, where):
    outputs = config.get("out_channels") or config["in_channels"]
    if outputs not in (config["in_channels"], 2 * config["in_channels"]):
        raise ExportError(f"{where}: takes {config['in_channels']} channels and returns {outputs}: the others are inputs "
                          "(a mask, an image) that Stride has no card for; wrap the network and use export-module")


def tokens_of(name, shape):
    """How many tokens an image is in the network: what dynamic shifts depend on."""
    return (shape[1] // 2) * (shape[2] // 2) if name.endswith("Transformer2DModel") else shape[1] * shape[2]


def latent_factor(config):
    """Pixels a side of one latent."""
    return 2 ** (len(config.get("block_out_channels") or config["decoder_block_out_channels"]) - 1)


def described_decoder(vae, name):
    """(network, scale, shift)."""
    config = vae.config
    scaling, shift = float(config.get("scaling_factor") or 1.0), float(config.get("shift_factor") or 0.0)
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if name == "AutoencoderKL" and mean is not None and deviation is not None:
        return Decode(vae, torch.tensor(deviation) / scaling, torch.tensor(mean)), 1.0, 0.0
    return Decode(vae), scaling, shift


def upsample(self, x, output_size=None, *_, **__):
    if self.norm is not None:
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    if self.use_conv_transpose:
        return self.conv(x)
    x = x.contiguous()
    if self.interpolate:
        size = {"scale_factor": 2.0} if output_size is None else {"size": output_size}
        x = functional.interpolate(x, mode="nearest", **size)
    if self.use_conv:
        x = (self.conv if self.name == "conv" else self.Conv2d_0)(x)
    return x


@contextlib.contextmanager
def any_batch():
    """diffusers' upsampling copies its input when the batch is large, which would tie an exported network to small
    ones: here it always does."""
    before = Upsample2D.forward
    Upsample2D.forward = upsample
    try:
        yield
    finally:
        Upsample2D.forward = before
