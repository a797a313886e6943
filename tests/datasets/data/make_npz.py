"""Archives that others write, for tests/datasets/npz_test.cpp.

    python tests/datasets/data/make_npz.py tests/datasets/data
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

MU = np.array([1.0, -2.5, 0.125])
SIGMA = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.25], [0.1, -0.25, 3.0]])


def npy(values):
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def main(folder):
    np.savez(folder / "stored.npz", mu=MU, sigma=SIGMA)  # as pytorch-fid and EDM do
    np.savez_compressed(folder / "deflated.npz", mu=MU, sigma=SIGMA)
    np.savez(folder / "fortran.npz", mu=MU, sigma=np.asfortranarray(SIGMA))
    np.savez(folder / "single.npz", mu=MU.astype(np.float32), sigma=SIGMA.astype(np.float32))
    np.savez(folder / "object.npz", mu=np.array([None, 1], dtype=object), sigma=SIGMA)
    with zipfile.ZipFile(folder / "foreign.zip", "w") as archive:
        archive.writestr("readme.txt", "no array")
    with zipfile.ZipFile(folder / "bzip2.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("mu.npy", npy(np.zeros(1000)))


main(Path(sys.argv[1]))
