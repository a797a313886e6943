#include "framework/models/parameterisation.h"

#include "framework/models/preconditioning.h"
#include "framework/named.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

// Each row of the model cards' table, in EDM coordinates (x/α, σ/α).
Scalings denoised(const Times& sigma, double /*sigma_data*/) {
  const Times one = at::ones_like(sigma);
  return {at::zeros_like(sigma), one, one};
}

Scalings edm(const Times& sigma, double sigma_data) {
  const double data = sigma_data * sigma_data;
  const Times total = sigma * sigma + data;
  return {data / total, sigma * sigma_data / total.sqrt(), total.rsqrt()};
}

Scalings epsilon(const Times& sigma, double /*sigma_data*/) {
  return {at::ones_like(sigma), -sigma, (sigma * sigma + 1.0).rsqrt()};
}

Scalings clean(const Times& sigma, double /*sigma_data*/) {
  return {at::zeros_like(sigma), at::ones_like(sigma), (sigma * sigma + 1.0).rsqrt()};
}

Scalings velocity(const Times& sigma, double /*sigma_data*/) {
  const Times total = sigma * sigma + 1.0;
  return {total.reciprocal(), -sigma * total.rsqrt(), total.rsqrt()};
}

Scalings flow(const Times& sigma, double /*sigma_data*/) {
  const Times alpha = (sigma + 1.0).reciprocal();
  return {alpha, -sigma * alpha, alpha};
}

struct Row {
  ScalingKind kind;
  Scalings (*formula)(const Times&, double);
};

class TableRow final : public Parameterisation {
 public:
  TableRow(std::string name, Row row, double sigma_data) : name_(std::move(name)), row_(row), sigma_data_(sigma_data) {}
  [[nodiscard]] Scalings at(const Times& sigma) const override {
    if (auto fused = fused_scalings(row_.kind, sigma_data_, sigma)) return *std::move(fused);
    return row_.formula(sigma, sigma_data_);
  }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  std::string name_;
  Row row_;
  double sigma_data_;
};

const std::vector<Named<Card, Row>>& table() {
  using Kind = ScalingKind;
  static const std::vector<Named<Card, Row>> rows{
      {{.name = "denoised"}, {Kind::denoised, denoised}}, {{.name = "edm"}, {Kind::edm, edm}},
      {{.name = "epsilon"}, {Kind::epsilon, epsilon}},    {{.name = "flow"}, {Kind::flow, flow}},
      {{.name = "sample"}, {Kind::sample, clean}},        {{.name = "v_prediction"}, {Kind::v_prediction, velocity}}};
  return rows;
}

}  // namespace

std::unique_ptr<Parameterisation> make_parameterisation(const std::string& name, double sigma_data) {
  if (!(sigma_data > 0.0)) throw UsageError(fmt::format("sigma_data must be positive, not {}", sigma_data));
  return std::make_unique<TableRow>(name, named("prediction", name, table()).value, sigma_data);
}

const std::vector<std::string>& parameterisation_names() {
  static const std::vector<std::string> names = names_of(table());
  return names;
}

}  // namespace stride
