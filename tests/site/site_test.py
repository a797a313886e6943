"""The parts of docs/site: headers read as they are, nothing fetched by a browser, links of the pages."""

import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import build  # noqa: E402
import headers  # noqa: E402
import links  # noqa: E402
import solver_table  # noqa: E402

HEADER = """// What it is for.
#pragma once

#include "framework/tensor.h"

namespace stride {

class Elsewhere;

/// A thing with `[B]` *rows*.
class Thing final : public Elsewhere {
  int first_ = 0;

 public:
  explicit Thing(int count) : count_(count) {}
  /// How many.
  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  int count_ = 0;
};
[[nodiscard]] Thing make_thing();  ///< the usual one

struct Open {
  std::optional<double> low = {}, high = {};  ///< both ends
};

/// Twice. Throws UsageError below 0.
[[nodiscard]] int twice(int value);

}  // namespace stride
"""
# A second, simple-minded reader: whatever begins in the first column of a header's namespace and introduces a name.
DECLARES = re.compile(r"^(?:\[\[nodiscard\]\] |explicit |inline |constexpr )*(?:(?:class|struct|enum class|enum) (?:\[\[\w+\]\] )?(\w+)[^;\n]*\{|"
                      r"[\w:]+(?:<[^;={}()]*>)?[&*]? [&*]?(\w+)\()", re.M)
NO_NAME = {"return", "if", "for", "while", "switch", "namespace", "operator", "template", "friend", "TORCH_LIBRARY"}


class Headers(unittest.TestCase):
    def test_one(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "framework").mkdir()
            (Path(folder) / "framework" / "thing.h").write_text(HEADER)
            header = headers.parse(Path(folder), "framework/thing.h")
        self.assertEqual((header.text, header.includes), ("What it is for.", ["framework/tensor.h"]))
        self.assertEqual([(e.names, e.text) for e in header.entries],
                         [(["Thing", "make_thing"], "A thing with `[B]` *rows*."), (["Open"], ""), (["twice"], "Twice. Throws UsageError below 0.")])
        code = header.entries[0].code
        for hidden in ("count_", "first_", "private"):
            self.assertNotIn(hidden, code)
        for shown in ("explicit Thing(int count);", "/// How many.", "int count() const noexcept;", "};", "make_thing();  ///< the usual one"):
            self.assertIn(shown, code)
        self.assertIn("high = {};  ///< both ends", header.entries[1].code)

    def test_nothing_is_lost(self):
        looked = 0
        for path in headers.paths(ROOT):
            text = re.sub(r"^//.*$", "", (ROOT / path).read_text(), flags=re.M)
            declared = {a or b for a, b in DECLARES.findall(text)} - NO_NAME
            found = {name for entry in headers.parse(ROOT, path).entries for name in entry.names}
            self.assertFalse({n for n in declared if n.isidentifier() and not n.isupper()} - found, path)
            looked += len(declared)
        self.assertGreater(looked, 500)

    def test_markdown(self):
        self.assertEqual(headers.markdown("x_i `[B]` <y> docs/a.md", "reference/cpp/f/g.h.md", {"docs/a.md": "docs/a.md"}),
                         r"x\_i `[B]` \<y\> [docs/a.md](../../../docs/a.md)")


class Pages(unittest.TestCase):
    def test_nothing_is_fetched(self):
        foreign = ['<script src="https://a.example/b.js">', "<img alt='' src=//a.example/b.png>", '<link rel="stylesheet" href="http://a.example/c.css">']
        own = ['<a href="https://a.example/">x</a>', '<script src="_static/b.js">', '<link rel="canonical" href="https://a.example/">']
        for text in foreign + own:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "a.html").write_text(text)
                self.assertEqual(len(list(build.fetched(Path(folder)))), text in foreign, text)
        for text in ("@import 'https://a.example/c.css'", "src: url(//a.example/f.woff2)"):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "a.css").write_text(text)
                self.assertEqual(len(list(build.fetched(Path(folder)))), 1, text)

    def test_nothing_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a b.png").write_text("")
            (Path(folder) / "a.html").write_text('<img alt="x" src="a%20b.png"><img src="c.png"><script src="d.js?v=1"></script>'
                                                 '<link rel="stylesheet" type="text/css" href="e.css" /><img src="data:image/png;base64,x">')
            self.assertEqual(sorted(what for _, what in build.missing(Path(folder))), ["c.png", "d.js?v=1", "e.css"])

    def test_linked_sources(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs" / "data").mkdir(parents=True)
            for name in ("a.cpp", "docs/b.md", "docs/c.csv"):
                (root / name).write_text("")
            (root / "docs" / "a.md").write_text("[a](../a.cpp#x) [b](b.md) [c](c.csv) [d](data/) [e](https://a.example/a.cpp) `[f](../a.cpp)`\n```\n[g](data/)\n```\n")
            self.assertEqual(list(links.linked_sources(root, "docs/a.md")), [("../a.cpp", "a.cpp"), ("data/", "docs/data")])

    def test_solver_table(self):
        solver = {"name": "heun", "summary": "a | b", "family": "one-step", "order": 2, "strong_order": None, "error_order": 2, "stochastic": False,
                  "nfe": {"5": {"zero": 9}, "10": {"zero": 19}}, "aliases": ["edm"], "also_called": [], "reference": "x"}
        self.assertIn(r"| `heun` | 2 | 9 | 19 | no | yes | one-step | a \| b | edm | x |", solver_table.page(json.dumps([solver])))


if __name__ == "__main__":
    unittest.main(verbosity=1)
