"""Opens Stride's event files with TensorBoard, both by its loader in Python and by the server that it starts by default.

The files are made by the probe (probe.cpp) and by the real command; scalars, histograms and images must come back, also
when the last record is cut at any byte, and when a second file continues a first.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard import context, errors
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.data import server_ingester
from tensorboard.util import grpc_util, tb_logging

PROBE, STRIDE = os.environ["STRIDE_EVENT_PROBE"], os.environ["STRIDE_EXECUTABLE"]
ASK = {"ctx": context.RequestContext(), "experiment_id": ""}
EVERYTHING = {kind: 0 for kind in ("scalars", "histograms", "images", "compressedHistograms")}


def load(path):
    """What TensorBoard's Python loader sees of a file or a folder."""
    accumulator = event_accumulator.EventAccumulator(str(path), size_guidance=EVERYTHING)
    accumulator.Reload()
    return accumulator


def scalars(accumulator, tag):
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def edges_of_tensorflow():
    """histogram.cc's InitDefaultBuckets."""
    edge, positive = 1e-12, []
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    largest = float(np.finfo(np.float64).max)
    return [-largest] + [-e for e in reversed(positive)] + [0.0] + positive + [largest]


class EventFiles(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)

    def write(self, requests, name="run"):
        path = self.folder / "requests.json"
        path.write_text(json.dumps(requests))
        done = subprocess.run([PROBE, str(self.folder / name), str(path)], check=True, capture_output=True, text=True)
        return [Path(line) for line in done.stdout.splitlines()]

    def png(self, mode, size):
        """A picture on disk and its pixels."""
        shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
        pixels = np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)
        path = self.folder / f"{mode}.png"
        Image.fromarray(pixels, mode).save(path)
        return path, pixels

    def serve(self, read, wanted):
        """What the data server, TensorBoard's default, reads of the folder, once it is what is wanted or time is up."""
        ingester = server_ingester.SubprocessServerDataIngester(
            server_ingester.get_server_binary(), str(self.folder), reload_interval=1,
            channel_creds_type=grpc_util.ChannelCredsType.LOCAL, samples_per_plugin={"scalars": 0})
        ingester.start()
        self.addCleanup(ingester._stdin_handle.close)  # ends the server
        deadline, found = time.monotonic() + 60, None
        while found != wanted and time.monotonic() < deadline:
            try:
                found = read(ingester.data_provider)
            except (KeyError, errors.NotFoundError):
                time.sleep(0.2)  # nothing of this run has been read yet
        return found

    def test_a_thousand_scalars_come_back_as_float32(self):
        values = np.random.default_rng(1).normal(size=1000) * 10.0 ** np.arange(-20, 20).repeat(25)
        wanted = [(17 * i, float(np.float32(v))) for i, v in enumerate(values)]
        [path] = self.write([["scalar", "loss/train", 17 * i, v] for i, v in enumerate(values)])
        before = time.time()
        self.assertEqual(scalars(load(path), "loss/train"), wanted)
        events = load(path).Scalars("loss/train")
        self.assertTrue(all(before - 300 < event.wall_time < before + 1 for event in events))
        self.assertTrue(all(a.wall_time <= b.wall_time for a, b in zip(events, events[1:])))

    def test_zero_and_the_extreme_steps_and_values_come_back(self):
        wanted = [(0, 0.0), (1, -0.0), (127, 1e300), (128, -1e300), (2**40, 1e-300), (2**62, 1.5)]
        [path] = self.write([["scalar", "größe", step, value] for step, value in wanted])
        with np.errstate(over="ignore"):
            self.assertEqual(scalars(load(path), "größe"), [(s, float(np.float32(v))) for s, v in wanted])

    def test_a_histogram_counts_as_tensorflow_does(self):
        rng = np.random.default_rng(2)
        for i, values in enumerate([rng.normal(size=2000), rng.lognormal(-3, 5, size=500), np.zeros(10),
                                    np.array([-3.5]), np.repeat([0.1, -7e19, 3e25], 4)]):
            with self.subTest(i):
                [path] = self.write([["histogram", "h", 3, values.tolist(), []]], f"run{i}")
                [event] = load(path).Histograms("h")
                found, edges = event.histogram_value, edges_of_tensorflow()
                self.assertEqual(event.step, 3)
                self.assertEqual((found.min, found.max, found.num), (values.min(), values.max(), len(values)))
                np.testing.assert_allclose(found.sum, values.sum(), rtol=1e-12)
                np.testing.assert_allclose(found.sum_squares, (values**2).sum(), rtol=1e-12)
                # Which edges are left is TensorFlow's: the last of each run of empty buckets, and all of the others.
                counts = np.array([((values >= low) & (values < high)).sum()
                                   for low, high in zip([-np.inf, *edges], edges)])
                kept = [j for j in range(len(edges)) if counts[j] or j + 1 == len(edges) or counts[j + 1]]
                self.assertEqual(found.bucket_limit, [edges[j] for j in kept])
                self.assertEqual(found.bucket, counts[kept].tolist())

    def test_a_histogram_of_a_tensor_is_that_of_its_numbers(self):
        values = np.random.default_rng(3).normal(size=64).astype(np.float32).astype(np.float64)
        [path] = self.write([[kind, kind, 0, values.tolist(), []] for kind in ("histogram", "tensor")])
        one, other = (load(path).Histograms(tag)[0].histogram_value for tag in ("histogram", "tensor"))
        for field in ("bucket", "bucket_limit", "min", "max", "sum"):
            self.assertEqual(getattr(one, field), getattr(other, field), field)

    def test_limits_that_are_given_are_the_buckets(self):
        values, limits = [-5.0, 0.0, 0.5, 1.0, 2.5, 9.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        [path] = self.write([["histogram", "h", 0, values, limits]])
        found = load(path).Histograms("h")[0].histogram_value
        self.assertEqual(found.bucket, [1, 2, 1, 1, 0, 0, 1])
        self.assertEqual(found.bucket_limit[:-1], limits)

    def test_images_come_back_pixel_by_pixel(self):
        pictures = {mode: self.png(mode, (5, 3)) for mode in ("L", "LA", "RGB", "RGBA")}
        [path] = self.write([["image", mode, 8, str(file), 3, 5, len(mode)] for mode, (file, _) in pictures.items()])
        loaded = load(path)
        for mode, (_, pixels) in pictures.items():
            [event] = loaded.Images(mode)
            self.assertEqual((event.step, event.height, event.width), (8, 3, 5))
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(event.encoded_image_string))), pixels)
        values = [v for e in event_file_loader.LegacyEventFileLoader(str(path)).Load() for v in e.summary.value]
        self.assertEqual({v.tag: v.image.colorspace for v in values}, {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4})

    def test_a_record_cut_at_any_byte_hides_no_earlier_one(self):
        picture, _ = self.png("L", (2, 2))
        earlier = [["scalar", "loss", i, i / 8] for i in range(5)]
        for i, last in enumerate([["scalar", "last", 9, 1.0], ["histogram", "last", 9, [1.0, 2.0], [1.5]],
                                  ["image", "last", 9, str(picture), 2, 2, 1]]):
            [without] = self.write(earlier, f"without{i}")
            [path] = self.write([*earlier, last], f"with{i}")
            whole, start = path.read_bytes(), without.stat().st_size
            self.assertGreater(len(whole), start + 16)
            self.assertIn("last", sum(filter(lambda t: isinstance(t, list), load(path).Tags().values()), []))
            cut = self.folder / "events.out.tfevents.1.cut"
            for size in range(start, len(whole)):
                cut.write_bytes(whole[:size])
                loaded = load(cut)
                self.assertEqual(scalars(loaded, "loss"), [(i, i / 8) for i in range(5)], size)
                self.assertEqual(loaded.Tags()["scalars"], ["loss"], size)

    def test_a_second_file_continues_the_first_from_its_own_first_step_on(self):
        requests = [["scalar", "loss", i, 1.0] for i in range(1, 11)]
        requests += [["reopen"], *(["scalar", "loss", i, 2.0] for i in range(6, 9))]
        requests += [["reopen"], ["scalar", "loss", 9, 3.0], ["scalar", "other", 9, 3.0]]
        paths = self.write(requests, "run")
        self.assertEqual(sorted(paths), paths)
        # The first process was killed in the middle of a record.
        paths[0].write_bytes(paths[0].read_bytes()[:-5])
        wanted = [(i, 1.0) for i in range(1, 6)] + [(6, 2.0), (7, 2.0), (8, 2.0), (9, 3.0)]
        self.assertEqual(scalars(load(self.folder / "run"), "loss"), wanted)

        def read(served):
            points = served.read_scalars(**ASK, plugin_name="scalars", downsample=1000)["run"]["loss"]
            return [(point.step, point.value) for point in points]

        self.assertEqual(self.serve(read, wanted), wanted)

    def test_the_default_server_reads_scalars_histograms_and_images(self):
        picture, _ = self.png("RGB", (5, 3))
        self.write([["scalar", "loss", 1, 0.25], ["histogram", "h", 1, [0.0, 1.0, 1.0], []],
                    ["image", "picture", 1, str(picture), 3, 5, 3]])

        def read(served):
            [scalar] = served.read_scalars(**ASK, plugin_name="scalars", downsample=10)["run"]["loss"]
            [buckets] = served.read_tensors(**ASK, plugin_name="histograms", downsample=10)["run"]["h"]
            [image] = served.read_blob_sequences(**ASK, plugin_name="images", downsample=10)["run"]["picture"]
            blob = served.read_blob(ctx=ASK["ctx"], blob_key=image.values[2].blob_key)
            counts = buckets.numpy[:, 2].sum(), buckets.numpy[0, 0], buckets.numpy[-1, 1]
            return scalar.step, scalar.value, counts, blob

        wanted = 1, 0.25, (3, 0, 1), picture.read_bytes()
        self.assertEqual(self.serve(read, wanted), wanted)

    def test_the_command_writes_what_metrics_jsonl_has(self):
        (self.folder / "gm.toml").write_text(
            '[model]\nkind = "gaussian_mixture"\nweights = [0.3, 0.7]\nmeans = [[-1.0, 0.5], [2.0, 0.0]]\n'
            "std = [0.2, 0.4]\nshape = [2]\nsigma_min = 0.002\nsigma_max = 80.0\nsigma_data = 0.5\n")
        subprocess.run([STRIDE, "sample", "--model", "gm.toml", "--seeds", "0-9", "--batch", "4", "--steps", "6",
                        "--outdir", "out", "--quiet"], check=True, cwd=self.folder, stdout=subprocess.DEVNULL)
        lines = [json.loads(line) for line in (self.folder / "out/metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], [4, 8, 10])
        loaded = load(self.folder / "out/tb")
        self.assertEqual(sorted(loaded.Tags()["scalars"]), ["nfe_mean", "samples"])
        for tag in ("nfe_mean", "samples"):
            self.assertEqual(scalars(loaded, tag), [(line["step"], line[tag]) for line in lines])


if __name__ == "__main__":
    tb_logging.get_logger().setLevel("ERROR")  # it tells of every purge
    unittest.main(warnings="ignore")
