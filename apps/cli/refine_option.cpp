#include "apps/cli/refine_option.h"

#include "datasets/files/samples_file.h"
#include "framework/files/hash.h"
#include "pipeline/sample_source.h"
#include "pipeline/seed_rows.h"
#include "pipeline/start_images.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using Shape = std::vector<int64_t>;

const char* kStartGroup = "Start";

Shape with_rows(int64_t rows, const Shape& sample) {
  Shape out = {rows};
  out.insert(out.end(), sample.begin(), sample.end());
  return out;
}

// `values` as `[N, …]` where they are that, or `[1, …]`, or one sample alone; undefined where they are none of it.
Tensor a_row_a_seed(const Tensor& values, const Shape& sample, int64_t rows) {
  const Tensor all = values.sizes() == at::IntArrayRef(sample) ? values.unsqueeze(0) : values;
  const auto is = [&](int64_t n) { return all.sizes() == at::IntArrayRef(with_rows(n, sample)); };
  if (!is(1) && !is(rows)) return {};
  return all.expand(with_rows(rows, sample));
}

ReadInput read_file_of(const PictureRequest& from, const std::string& dataset) {
  const std::string &option = from.option, &path = from.path;
  const Tensor stored = rows_of_seeds(read_dataset(path, dataset), path, from.seeds);
  if (!stored.is_floating_point())
    throw InputError(fmt::format("--{} {}: /{} must hold floating-point numbers", option, path, dataset));
  const Tensor values = stored.to(at::kDouble);
  if (!at::isfinite(values).all().item<bool>())
    throw InputError(fmt::format("--{} {}: /{} holds numbers that are not finite", option, path, dataset));
  return {values, sha256_file(path)};
}

[[noreturn]] void refuse_shape(const std::string& what, const Tensor& values, const Shape& sample, int64_t rows,
                               const char* more) {
  throw InputError(fmt::format(
      "{} has the shape [{}], but this run needs [{}] (one row per seed; /seed beside it may say "
      "which) or [{}] (one for all){}",
      what, fmt::join(values.sizes(), ", "), fmt::join(with_rows(rows, sample), ", "), fmt::join(sample, ", "), more));
}

ReadInput read_start(const PictureRequest& from, const ModelInfo& model) {
  const auto rows = static_cast<int64_t>(from.seeds.size());
  ReadInput read = is_picture_input(from.path) ? read_pictures(from, model) : read_file_of(from, "x");
  const Tensor start = a_row_a_seed(read.values, model.shape, rows);
  if (!start.defined()) refuse_shape(fmt::format("--start {}: /x", from.path), read.values, model.shape, rows, "");
  return {start, std::move(read.sha256)};
}

ReadInput read_mask(const PictureRequest& from, const ModelInfo& model) {
  const auto rows = static_cast<int64_t>(from.seeds.size());
  ReadInput read = is_picture_input(from.path) ? read_mask_pictures(from, model) : read_file_of(from, "mask");
  if ((read.values < 0.0).logical_or(read.values > 1.0).any().item<bool>())
    throw InputError(fmt::format(
        "--mask {}: /mask must lie in 0 … 1: 1 where the sample is made anew, 0 where the start stays", from.path));
  Tensor mask = a_row_a_seed(read.values, model.shape, rows);
  if (!mask.defined() && model.shape.size() == 3) {
    const Tensor grey = a_row_a_seed(read.values, {1, model.shape[1], model.shape[2]}, rows);
    if (grey.defined()) mask = grey.expand(with_rows(rows, model.shape));
  }
  if (!mask.defined())
    refuse_shape(fmt::format("--mask {}: /mask", from.path), read.values, model.shape, rows,
                 model.shape.size() == 3 ? "; one channel serves all" : "");
  return {mask, std::move(read.sha256)};
}

}  // namespace

OptionTable refine_options() {
  return {{.name = "start",
           .value = "FILE|DIR",
           .help = "start from an image with noise added: PNG, JPEG, WebP, a folder of {seed:06d}.png, or HDF5 /x",
           .group = kStartGroup,
           .key = "sampling.start"},
          {.name = "strength",
           .kind = ValueKind::number,
           .value = "S",
           .help = "with --start: run the last S of the steps, 0 to 1 (default 1)",
           .group = kStartGroup,
           .key = "sampling.strength"},
          {.name = "mask",
           .value = "FILE|DIR",
           .help = "with --start: white (HDF5 /mask: 1) where the sample is made anew, black (0) where the start stays",
           .group = kStartGroup,
           .key = "sampling.mask"}};
}

double strength_of(const OptionValues& options) {
  if (!options.has("strength")) return 1.0;
  if (!options.has("start")) throw UsageError("--strength says how much of --start is made anew: add --start FILE");
  return options.number("strength");
}

void read_refine(Context& context, const ModelInfo& model, DrawSettings& settings) {
  const OptionValues& options = context.options();
  if (options.has("mask") && !options.has("start"))
    throw UsageError("--mask says which part of --start stays: add --start FILE");
  const auto read = [&](const char* option, auto* reader) -> Tensor {
    if (!options.has(option)) return {};
    const std::string path = samples_of_run(options.text(option));
    ReadInput got = reader({option, path, settings.seeds}, model);
    context.add_input(path, got.sha256);
    return std::move(got.values);
  };
  settings.start = read("start", &read_start);
  settings.mask = read("mask", &read_mask);
}

}  // namespace stride
