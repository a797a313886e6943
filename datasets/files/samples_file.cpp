#include "datasets/files/samples_file.h"

#include "datasets/files/checksum_line.h"
#include "datasets/files/hdf5.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {
namespace {

/// The member as the file has it, checked.
Tensor column(const char* name, const Tensor& values, int64_t n, at::ScalarType dtype) {
  if (!values.defined() || values.dim() != 1 || values.size(0) != n ||
      !at::isIntegralType(values.scalar_type(), false)) {
    throw UsageError(fmt::format("cannot write samples: {} is not a list of {} whole numbers", name, n));
  }
  return values.to(at::kCPU).to(dtype);
}

Tensor read_column(const hdf5::ImageReader& image, const std::string& path, const char* name, int64_t n,
                   at::ScalarType dtype) {
  const Tensor values = image.read(name);
  if (values.scalar_type() != dtype || values.dim() != 1 || values.size(0) != n) {
    throw InputError(fmt::format("{}: \"{}\" does not fit the samples", path, name));
  }
  return values;
}

}  // namespace

void write_samples(const std::string& path, const Samples& samples, FileSystem& files) {
  if (!samples.x.defined() || samples.x.dim() < 1) throw UsageError("cannot write samples: there are none");
  const int64_t n = samples.x.size(0);
  hdf5::ImageWriter image;
  for (const auto& [name, text] : samples.attributes) image.attribute(name, text);
  image.dataset("x", samples.x.scalar_type() == at::kBFloat16 ? samples.x.to(at::kFloat) : samples.x);
  image.dataset("seed", column("seed", samples.seed, n, at::kLong));
  image.dataset("nfe", column("nfe", samples.nfe, n, at::kInt));
  image.dataset("model_evals", column("model_evals", samples.model_evals, n, at::kInt));
  image.dataset("status", column("status", samples.status, n, at::kChar));
  if (samples.sigmas.defined()) image.dataset("sigmas", samples.sigmas.to(at::kDouble));
  std::string bytes = image.finish();
  append_checksum_line(bytes);
  write_file_atomic(path, bytes, files);
}

Samples read_samples(const std::string& path, FileSystem& files) {
  const std::string bytes = read_file(path, files);
  const hdf5::ImageReader image(verify_checksum_line(bytes, path), path);
  Samples samples;
  samples.x = image.read("x");
  if (samples.x.dim() < 1) throw InputError(fmt::format("{}: \"x\" is a single number", path));
  const int64_t n = samples.x.size(0);
  samples.seed = read_column(image, path, "seed", n, at::kLong);
  samples.nfe = read_column(image, path, "nfe", n, at::kInt);
  samples.model_evals = read_column(image, path, "model_evals", n, at::kInt);
  samples.status = read_column(image, path, "status", n, at::kChar);
  if (image.has("sigmas")) samples.sigmas = image.read("sigmas");
  for (const std::string& name : image.attribute_names()) samples.attributes[name] = image.attribute(name).value_or("");
  return samples;
}

Tensor read_dataset(const std::string& path, const std::string& name) {
  const std::string bytes = read_file(path);
  if (!has_checksum_line(bytes)) return hdf5::read_foreign_dataset(path, name);
  return hdf5::ImageReader(verify_checksum_line(bytes, path), path).read(name);
}

}  // namespace stride
