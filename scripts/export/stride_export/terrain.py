"""make-terrain: the terrain model of the package adaptive-terrain-diffusion (MIT) as a model folder."""

import sys
import tempfile
from pathlib import Path

from . import onnx_file
from .errors import run
from .options import Parser
from .wheels import member

ABOUT = """\
The consistency model of heights that the package adaptive-terrain-diffusion 0.4.2 (MIT) ships as ONNX: an EDM UNet of
10.46 M parameters, 1 × 128 × 128, told how difficult the terrain is to cross (0 … 1), made for one evaluation. Only
that one file is taken from the wheel. Other options are export-onnx's."""
EXAMPLE = """\
example:
  %(prog)s --out terrain && ./scripts/make-cond difficulty=0.7 --out difficulty.safetensors"""
REQUIREMENT = "adaptive-terrain-diffusion==0.4.2"
MEMBER = "terrain_diffusion/weights/terrain_consistency_unet_difficulty100.onnx"
SHA256 = "95be54b4a39d58320e187a7ec533351c957f16a00be58773c86074828ee67887"


def main():
    parser = Parser("terrain", description=ABOUT, epilog=EXAMPLE)
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="the package's wheel, in place of fetching it")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the ONNX file there, too")
    options, others = parser.parse_known_args()
    content = member(REQUIREMENT, MEMBER, SHA256, options.wheel)
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / Path(MEMBER).name
        path.write_bytes(content)
        sys.argv[1:] = [str(path), "--prediction", "denoised", "--time", "sigma", "--sigma-min", "0.002", "--sigma-max",
                        "80", "--sigma-data", "0.5", *others]
        onnx_file.main(["--solver", "lcm", "--sigmas", "80,0"])


if __name__ == "__main__":
    run(main, "make-terrain")
