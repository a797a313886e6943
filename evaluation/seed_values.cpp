#include "evaluation/seed_values.h"

#include "datasets/files/npz.h"
#include "datasets/files/npz_reader.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {

std::string seed_values_npz(const SeedValues& values) {
  std::vector<std::pair<std::string, Tensor>> arrays;
  if (values.rmse.defined()) arrays.emplace_back("rmse", values.rmse.cpu().to(at::kDouble));
  arrays.emplace_back("nfe", values.nfe.cpu().to(at::kInt));
  arrays.emplace_back("status", values.status.cpu().to(at::kByte));
  return npz_bytes(arrays);
}

SeedValues read_seed_values(const std::string& bytes, int64_t n, const std::string& where) {
  const NpzReader file(bytes, where);
  const auto read = [&](const char* name, at::ScalarType type) {
    const Tensor values = file.read(name);
    if (values.dim() != 1 || values.size(0) != n)
      throw InputError(fmt::format("{}: `{}` must hold a value for each of the {} seeds", where, name, n));
    return values.to(type);
  };
  SeedValues out;
  if (file.has("rmse")) out.rmse = read("rmse", at::kDouble);
  out.nfe = read("nfe", at::kLong);
  out.status = read("status", at::kChar);
  return out;
}

}  // namespace stride
