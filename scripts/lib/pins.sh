# What the environment is made of. Its cache folder is keyed by a hash of this file, so a change here
# makes a new environment and leaves the old one usable by older checkouts.
STRIDE_TORCH_PIN="torch==2.11.0"
# The CUDA toolkit, from wheels: with torch's own nvidia-* dependencies these make a complete CUDA root.
STRIDE_CUDA_PINS="nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85"
STRIDE_PYTHON_PINS="numpy==2.3.4"
