#include "neural/training/training_draws.h"

#include <ATen/ATen.h>

namespace stride {

EdmDraws edm_draws(const DenoiserTraining& training, const Tensor& images, const Tensor& labels,
                   at::Generator generator) {
  const auto device = images.device();
  EdmDraws draws;
  draws.noise = at::randn(images.sizes(), generator, at::kFloat).to(device);
  draws.log_sigma = at::randn({images.size(0)}, generator, at::kDouble)
                        .mul(training.log_sigma_std)
                        .add(training.log_sigma_mean)
                        .to(device);
  draws.labels = labels;
  return draws;
}

PassOptions regularised(const DenoiserTraining& training, EdmDraws& draws, at::Generator generator) {
  const Tensor& labels = draws.labels;
  if (labels.defined() && training.class_dropout > 0.0) {
    const Tensor keep =
        (at::rand({labels.size(0)}, generator, at::kFloat) >= training.class_dropout).to(labels.device());
    draws.labels = at::where(keep, labels, at::full_like(labels, -1));
  }
  PassOptions pass{.recompute = training.recompute};
  if (training.dropout > 0.0) {
    const double keep = 1.0 - training.dropout;
    pass.regulariser = [generator, keep](const Tensor& h) {
      const Tensor mask = (at::rand(h.sizes(), generator, at::kFloat) < keep).to(h.device());
      return h * mask.to(h.scalar_type()) / keep;
    };
  }
  return pass;
}

Tensor mirrored(const Tensor& images, const Tensor& which) {
  return at::where(which.to(images.device()).view({-1, 1, 1, 1}), images.flip(3), images);
}

}  // namespace stride
