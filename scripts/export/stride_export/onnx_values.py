"""What an ONNX value is here: a tensor, or numbers of the host, which shapes and what is computed from them stay."""

import torch


def is_host(value):
    """Under torch.jit.trace a size is a tensor without sides, which the trace follows: such a one is a number too."""
    return not isinstance(value, torch.Tensor) or (
        torch.jit.is_tracing() and value.dim() == 0 and value.dtype == torch.int64)


def as_tensor(value, others=()):
    """A host value as a tensor on the device of the node's other inputs."""
    if isinstance(value, torch.Tensor):
        return value
    device = next((each.device for each in others if isinstance(each, torch.Tensor)), None)
    if not isinstance(value, list):
        return torch.full((), value, dtype=torch.float32 if isinstance(value, float) else torch.int64, device=device)
    if all(isinstance(each, (int, float)) for each in value):
        kind = torch.float32 if any(isinstance(each, float) for each in value) else torch.int64
        return torch.tensor(value, dtype=kind, device=device)
    return torch.stack([as_tensor(each, others).to(device) for each in value])
