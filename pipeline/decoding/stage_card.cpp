#include "pipeline/decoding/stage_card.h"

#include "framework/error.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

namespace stride {
namespace {

constexpr int64_t kMostValues = int64_t{1} << 30;

std::vector<int64_t> image_shape(TomlReader& reader, const std::string& key) {
  const auto shape = reader.integers(key);
  if (!shape || shape->size() != 3) reader.fail(key, "must be [channels, height, width]");
  int64_t values = 1;
  for (const int64_t extent : *shape) {
    if (extent < 1 || extent > kMostValues / values) reader.fail(key, "must hold positive sizes, at most 2^30 values");
    values *= extent;
  }
  return *shape;
}

int64_t pixels(TomlReader& reader, const std::string& key, int64_t otherwise) {
  const int64_t value = reader.integer(key).value_or(otherwise);
  if (value < 0 || value > kMostValues) reader.fail(key, "must be a number of pixels, 0 or more");
  return value;
}

}  // namespace

StageCard parse_stage_card(const std::string& text, const std::string& table, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  TomlReader top(root, where, "");
  const toml::table* found = top.table(table);
  if (found == nullptr) throw InputError(fmt::format("{}: the card has no table [{}]", where, table));
  (void)top.table("provenance");
  top.done();
  TomlReader reader(*found, where, table);
  StageCard card;
  card.where = where;
  card.kind = reader.text("kind").value_or("torchscript");
  if (!is_foreign(card.kind)) reader.fail("kind", fmt::format("is '{}', but must be torchscript or aoti", card.kind));
  card.name = reader.text("name").value_or(std::filesystem::path(where).stem());
  card.code = read_foreign_card(reader, where, table, card.kind);
  card.probe = reader.text("probe").value_or("");
  card.probe_sha256 = read_sha256(reader, "probe_sha256");
  if (!card.probe_sha256.empty() && card.probe.empty())
    reader.fail("probe_sha256", "is of a file `probe`, which is missing");
  card.in_shape = image_shape(reader, "in_shape");
  card.out_shape = image_shape(reader, "out_shape");
  if (table == "decoder") {
    card.scale = reader.number("scale").value_or(1.0);
    card.shift = reader.number("shift").value_or(0.0);
    if (!std::isfinite(card.scale) || card.scale == 0.0) reader.fail("scale", "must be a number other than 0");
    if (!std::isfinite(card.shift)) reader.fail("shift", "must be a number");
  }
  card.batches = read_batches(reader, &card.code);
  card.tiles.window = pixels(reader, "tile", 0);
  card.tiles.context = pixels(reader, "context", card.tiles.window / 8);
  card.tiles.overlap = pixels(reader, "overlap", card.tiles.window / 8);
  reader.done();
  return card;
}

}  // namespace stride
