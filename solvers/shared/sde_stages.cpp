#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class SdeStages final : public Method {
 public:
  SdeStages(SolverTraits traits, const SdeOptions& sde, std::vector<SdeStage> stages)
      : Method(std::move(traits)), sde_(sde), stages_(std::move(stages)) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const auto [h, z] = sde_step_size(step.from, step.to, sde_.eta);
    SdePath path(step, x, sde_);
    const Tensor denoised = step.denoise(x, step.from);
    Tensor data = denoised;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const SdeStage& stage = stages_[i];
      const Times level = i + 1 == stages_.size() ? step.to : step.from * (-stage.node * h).exp();
      const Tensor next = path.at(level, data);
      if (i + 1 == stages_.size()) return {next, history, denoised, {}};
      data = denoised + per_sample(stages_[i + 1].share(z), x) * (step.denoise(next, level) - denoised);
    }
    TORCH_INTERNAL_ASSERT(false, "a method without stages");
  }

 private:
  SdeOptions sde_;
  std::vector<SdeStage> stages_;
};

}  // namespace

std::unique_ptr<Solver> make_sde_stages(SolverTraits traits, const SdeOptions& sde, std::vector<SdeStage> stages) {
  return std::make_unique<SdeStages>(std::move(traits), sde, std::move(stages));
}

}  // namespace stride
