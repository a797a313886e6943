#include "pipeline/conditions/label_choice.h"

#include "datasets/files/npy.h"
#include "datasets/files/samples_file.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/noise/philox.h"
#include "framework/text_list.h"
#include "pipeline/seed_rows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

namespace stride {
namespace {

constexpr const char* kRandom = "random";

std::optional<int64_t> whole(const std::string& text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (text.empty() || read.ec != std::errc() || read.ptr != end || value < 0) return std::nullopt;
  return value;
}

std::optional<std::pair<int64_t, int64_t>> range_of(const std::string& text) {
  if (const auto one = whole(text)) return std::pair(*one, *one);
  const auto dash = text.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto first = whole(text.substr(0, dash)), last = whole(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return std::pair(*first, *last);
}

Tensor lines_of(const std::string& text, const std::string& path) {
  std::istringstream lines(text);
  std::vector<int64_t> labels;
  for (std::string line; std::getline(lines, line);) {
    line = trimmed(line);
    if (line.empty()) continue;
    const auto label = whole(line);
    if (!label)
      throw InputError(
          fmt::format("`class` {}: entry {} is '{:.40}', no label: one integer a line", path, labels.size() + 1, line));
    labels.push_back(*label);
  }
  return at::tensor(labels, at::TensorOptions().dtype(at::kLong));
}

}  // namespace

LabelChoice::LabelChoice(std::optional<int64_t> label) {
  if (label) *this = LabelChoice(*label);
}

LabelChoice::LabelChoice(const std::string& text) {
  if (text == kRandom) {
    kind_ = Kind::random;
    return;
  }
  const auto range = range_of(text);
  if (!range) throw UsageError(fmt::format("`class` {}: write a label, as in 3, a range, as in 0-9, or random", text));
  std::tie(first_, last_) = *range;
  kind_ = first_ == last_ ? Kind::one : Kind::range;
}

LabelChoice LabelChoice::listed(Tensor labels, std::string sha256) {
  LabelChoice out;
  out.kind_ = Kind::list;
  out.list = std::move(labels);
  out.sha256_ = std::move(sha256);
  return out;
}

LabelChoice LabelChoice::recorded(Tensor labels, std::string text) {
  LabelChoice out = listed(std::move(labels), "");
  out.text_ = std::move(text);
  return out;
}

std::optional<int64_t> LabelChoice::one() const noexcept {
  return kind_ == Kind::one ? std::optional(first_) : std::nullopt;
}

std::string LabelChoice::text() const {
  if (!text_.empty()) return text_;
  switch (kind_) {
    case Kind::none:
      return "";
    case Kind::one:
      return fmt::format("{}", first_);
    case Kind::range:
      return fmt::format("{}-{}", first_, last_);
    case Kind::random:
      return kRandom;
    case Kind::list:
      break;
  }
  return fmt::format("list:{:.12}", sha256_);
}

Tensor LabelChoice::of(const std::vector<int64_t>& seeds, int64_t first, int64_t n, int64_t classes) const {
  const auto options = at::TensorOptions().dtype(at::kLong);
  if (kind_ == Kind::list && list.size(0) != static_cast<int64_t>(seeds.size()))
    throw UsageError(fmt::format("`class`: the list holds {} labels, and there are {} seeds: one label a seed",
                                 list.size(0), seeds.size()));
  Tensor labels = at::full({n}, first_, options);
  auto* const values = labels.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t seed = seeds.at(static_cast<std::size_t>(first + i)), span = last_ - first_ + 1;
    if (kind_ == Kind::range) values[i] = first_ + (seed % span + span) % span;
    if (kind_ == Kind::random) values[i] = philox_below(seed, classes, NoiseStream::label);
  }
  if (kind_ == Kind::list) labels = list.narrow(0, first, n).contiguous();
  if (!text_.empty()) return labels;  // the model took them before
  const auto* const found = labels.const_data_ptr<int64_t>();
  const int64_t low = kind_ == Kind::one || kind_ == Kind::range ? first_
                      : n == 0                                   ? 0
                                                                 : *std::min_element(found, found + n);
  const int64_t high = kind_ == Kind::one || kind_ == Kind::range ? last_
                       : n == 0                                   ? 0
                                                                  : *std::max_element(found, found + n);
  if (low < 0 || high >= classes)
    throw UsageError(fmt::format("`class` {}: the model has the classes 0 to {}",
                                 kind_ == Kind::list ? fmt::format("{}", low < 0 ? low : high) : text(), classes - 1));
  return labels;
}

bool covers(const std::string& labels, const std::string& here) {
  const std::vector<std::string> all = split_list(labels);
  if (std::find(all.begin(), all.end(), here) != all.end()) return true;
  const auto wanted = range_of(here);
  if (!wanted) return false;
  int64_t next = wanted->first;  // the first that nothing has covered so far
  for (bool grown = true; grown && next <= wanted->second;) {
    grown = false;
    for (const std::string& one : all) {
      if (one == kRandom) return true;
      const auto range = range_of(one);
      if (!range || next < range->first || next > range->second) continue;
      next = range->second + 1;
      grown = true;
    }
  }
  return next > wanted->second;
}

LabelChoice read_labels(const std::string& text, const std::vector<int64_t>& seeds) {
  if (text == kRandom || range_of(text)) return {text};
  if (!file_exists(text))
    throw UsageError(
        fmt::format("`class` {}: neither a label (3), nor a range (0-9), nor random, nor a file of labels", text));
  Tensor labels;
  if (text.ends_with(".h5") || text.ends_with(".hdf5"))
    labels = rows_of_seeds(read_dataset(text, "class"), text, seeds);
  else
    labels = text.ends_with(".npy") ? parse_npy(read_file(text), text) : lines_of(read_file(text), text);
  if (labels.dim() != 1 || !at::isIntegralType(labels.scalar_type(), /*includeBool=*/false))
    throw InputError(fmt::format("`class` {}: must hold whole numbers [N], a label for each seed", text));
  if (labels.size(0) != static_cast<int64_t>(seeds.size()))
    throw InputError(fmt::format("`class` {}: holds {} labels, and there are {} seeds: one label a seed", text,
                                 labels.size(0), seeds.size()));
  return LabelChoice::listed(labels.to(at::kLong), sha256_file(text));
}

}  // namespace stride
