#include "pipeline/starts.h"

#include "datasets/files/samples_file.h"
#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/shapes.h"
#include "pipeline/seed_rows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using Shape = std::vector<int64_t>;

// `values` as `[N, …]` where they are that, or `[1, …]`, or one sample alone; undefined where they are none of it.
Tensor one_row_per_seed(const Tensor& values, const Shape& sample, int64_t rows) {
  const Tensor all = values.sizes() == at::IntArrayRef(sample) ? values.unsqueeze(0) : values;
  const auto is = [&](int64_t n) { return all.sizes() == at::IntArrayRef(prepend({n}, sample)); };
  if (!is(1) && !is(rows)) return {};
  return all.expand(prepend({rows}, sample));
}

ReadInput read_file_of(const PictureRequest& from, const std::string& dataset) {
  const std::string &option = from.option, &path = from.path;
  const Tensor stored = rows_of_seeds(read_dataset(path, dataset), path, from.seeds);
  if (!stored.is_floating_point())
    throw InputError(fmt::format("`{}` {}: /{} must hold floating-point numbers", option, path, dataset));
  const Tensor values = stored.to(at::kDouble);
  if (!at::isfinite(values).all().item<bool>())
    throw InputError(fmt::format("`{}` {}: /{} holds numbers that are not finite", option, path, dataset));
  return {values, sha256_file(path)};
}

[[noreturn]] void refuse_shape(const std::string& what, const Tensor& values, const Shape& sample, int64_t rows,
                               const char* more) {
  throw InputError(fmt::format(
      "{} has the shape [{}], but this run needs [{}] (one row per seed; /seed beside it may say "
      "which) or [{}] (one for all){}",
      what, fmt::join(values.sizes(), ", "), fmt::join(prepend({rows}, sample), ", "), fmt::join(sample, ", "), more));
}

}  // namespace

ReadInput read_start(const PictureRequest& from, const ModelInfo& model) {
  const auto rows = static_cast<int64_t>(from.seeds.size());
  ReadInput read = is_picture_input(from.path) ? read_pictures(from, model) : read_file_of(from, "x");
  const Tensor start = one_row_per_seed(read.values, model.shape, rows);
  if (!start.defined()) refuse_shape(fmt::format("`start` {}: /x", from.path), read.values, model.shape, rows, "");
  return {start, std::move(read.sha256)};
}

ReadInput read_mask(const PictureRequest& from, const ModelInfo& model) {
  const auto rows = static_cast<int64_t>(from.seeds.size());
  ReadInput read = is_picture_input(from.path) ? read_mask_pictures(from, model) : read_file_of(from, "mask");
  if ((read.values < 0.0).logical_or(read.values > 1.0).any().item<bool>())
    throw InputError(fmt::format(
        "`mask` {}: /mask must lie in 0 … 1: 1 where the sample is made anew, 0 where the start stays", from.path));
  Tensor mask = one_row_per_seed(read.values, model.shape, rows);
  if (!mask.defined() && model.shape.size() == 3) {
    const Tensor grey = one_row_per_seed(read.values, {1, model.shape[1], model.shape[2]}, rows);
    if (grey.defined()) mask = grey.expand(prepend({rows}, model.shape));
  }
  if (!mask.defined())
    refuse_shape(fmt::format("`mask` {}: /mask", from.path), read.values, model.shape, rows,
                 model.shape.size() == 3 ? "; one channel serves all" : "");
  return {mask, std::move(read.sha256)};
}

ReadInput read_normals(const PictureRequest& from, const std::string& dataset, bool draws, const ModelInfo& model) {
  Tensor values = read_dataset(from.path, dataset);
  if (!draws) values = rows_of_seeds(values, from.path, from.seeds);
  if (!values.is_floating_point())
    throw InputError(fmt::format("`{}` {}: /{} must hold floating-point numbers", from.option, from.path, dataset));
  const Shape wanted = prepend({static_cast<int64_t>(from.seeds.size())}, model.shape);
  const std::size_t leading = draws ? 1 : 0;
  const auto sizes = values.sizes();
  if (sizes.size() < leading || sizes.slice(leading) != at::IntArrayRef(wanted))
    throw InputError(
        fmt::format("`{}`: /{} has the shape [{}], but this run needs [{}{}]: one row per seed, each like "
                    "the model's sample",
                    from.option, dataset, fmt::join(sizes, ", "), draws ? "draws, " : "", fmt::join(wanted, ", ")));
  return {std::move(values), sha256_file(from.path)};
}

}  // namespace stride
