#include "framework/error.h"
#include "neural/training/batch_order.h"
#include "neural/training/edm_objective.h"
#include "neural/training/training_draws.h"
#include "neural/training/training_graph.h"
#include "neural/training/training_step.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

enum : int64_t { kNoise, kFew };                         // families of a sample's draws
enum : int64_t { kLogSigma, kMirror, kHide, kFewSize };  // the few: one each

// The loss of a denoiser, with all that it draws. Its input: the batch's rows, then the number of its first sample.
class CapturedLoss final {
 public:
  CapturedLoss(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
               const at::Device& device)
      : config_(config),
        training_(training),
        data_(data),
        images_(data.stored().to(device)),
        places_(at::arange(training.batch, images_.options().dtype(at::kLong))) {
    if (config.classes > 0) labels_ = data.labels.to(device);
  }

  Tensor operator()(const Weights& leaves, const Tensor& input) const {
    const Tensor rows = input.narrow(0, 0, training_.batch);
    const Tensor ids = input.narrow(0, training_.batch, 1) + places_;
    Tensor batch = data_.scaled(images_.index_select(0, rows));
    const Tensor few = training_normals(training_.seed, ids, kFew, kFewSize);
    EdmDraws draws;
    draws.noise = training_normals(training_.seed, ids, kNoise, batch[0].numel()).view(batch.sizes());
    draws.log_sigma = few.select(1, kLogSigma).to(at::kDouble) * training_.log_sigma_std + training_.log_sigma_mean;
    if (training_.flip) batch = mirrored(batch, few.select(1, kMirror) > 0.0);
    if (labels_.defined()) {
      draws.labels = labels_.index_select(0, rows);
      if (training_.class_dropout > 0.0) {
        const Tensor hide = few.select(1, kHide) < normal_quantile(training_.class_dropout);
        draws.labels = draws.labels.masked_fill(hide, -1);
      }
    }
    draws.pass.recompute = training_.recompute;
    if (training_.dropout > 0.0)
      draws.pass.regulariser = [p = training_.dropout](const Tensor& h) { return at::dropout(h, p, /*train=*/true); };
    return edm_loss(config_, leaves, batch, draws, training_.dtype);
  }

 private:
  UNetConfig config_;
  DenoiserTraining training_;
  ImageData data_;
  Tensor images_, labels_, places_;  ///< on the device; images as they are stored
};

class CapturedTraining final : public TrainingStep {
 public:
  CapturedTraining(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
                   const TrainingState& start, const at::Device& device)
      : training_(training),
        order_(training.seed, data.size(), training.batch),
        graph_(unet_layout(config), start, {adam_options(training), training.dtype, training.batch + 1},
               CapturedLoss(config, data, training, device), device) {}

  void advance() override {
    const int64_t at = step();
    const Tensor rows = at::cat({order_.indices(at), at::full({1}, at * training_.batch, at::kLong)});
    graph_.advance(rows, training_.learning_rate * warmup_cosine(at, training_.warmup, training_.steps()),
                   average_keeps(training_, at + 1));
  }
  [[nodiscard]] int64_t step() const noexcept override { return graph_.step(); }
  [[nodiscard]] double mean_loss() override { return graph_.mean_loss(); }
  [[nodiscard]] TrainingState state() const override { return graph_.state(); }

 private:
  DenoiserTraining training_;
  BatchOrder order_;
  TrainingGraph graph_;
};

}  // namespace

std::unique_ptr<TrainingStep> captured_training(const UNetConfig& config, const ImageData& data,
                                                const DenoiserTraining& training, const TrainingState& start,
                                                const at::Device& device) {
  if (!device.is_cuda()) throw UsageError("captured_training: CUDA graphs need a CUDA device; use plain_training");
  return std::make_unique<CapturedTraining>(config, data, training, start, device);
}

}  // namespace stride
