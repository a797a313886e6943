"""Makes h5py.h5, the file of another program that the tests of read_dataset read. Needs h5py."""

import os

import h5py
import numpy as np

values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
with h5py.File(os.path.join(os.path.dirname(__file__), "h5py.h5"), "w", userblock_size=0) as file:
    file.create_dataset("eps", data=values.astype(">f4"), chunks=(1, 3, 4), compression="gzip", fletcher32=True)
    file["half"] = values.astype(np.float16)
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    numbers = np.arange(3, dtype=np.int64)
    h5py.h5d.create(file.id, b"compact", h5py.h5t.NATIVE_INT64, h5py.h5s.create_simple((3,)), compact).write(
        h5py.h5s.ALL, h5py.h5s.ALL, numbers)
    file["text"] = "words"
    file["elsewhere"] = h5py.ExternalLink("elsewhere.h5", "/x")
    outside = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    outside.set_external(b"elsewhere.raw", 0, 24)
    h5py.h5d.create(file.id, b"raw", h5py.h5t.NATIVE_INT64, h5py.h5s.create_simple((3,)), outside)
    file.create_dataset("huge", shape=(1 << 40,), dtype=np.float64, chunks=(1 << 20,))
