#include "tests/catch_torch.h"

#include "framework/full_float32.h"
#include "neural/networks/device_weights.h"
#include "neural/networks/norm_act.h"
#include "neural/networks/recompute.h"
#include "neural/networks/unet.h"
#include "neural/training/adam_cuda.h"
#include "neural/training/training_step.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

using namespace stride;

namespace {

Tensor normals(at::IntArrayRef sizes, uint64_t seed) {
  return at::randn(sizes, at::detail::createCPUGenerator(seed), at::kDouble);
}

double distance(const Tensor& a, const Tensor& b) {
  const Tensor reference = b.to(at::kCPU, at::kDouble);
  return ((a.to(at::kCPU, at::kDouble) - reference).norm() / reference.norm()).item<double>();
}

// The result and the gradients of everything that went in, of Σ w·f.
std::vector<Tensor> with_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                   const std::vector<Tensor>& inputs, const Tensor& weights) {
  std::vector<Tensor> leaves, wanted;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.defined() ? input.detach().requires_grad_() : input);
    if (input.defined()) wanted.push_back(leaves.back());
  }
  const Tensor value = f(leaves);
  std::vector<Tensor> found = torch::autograd::grad({(value.to(weights.scalar_type()) * weights).sum()}, wanted);
  found.insert(found.begin(), value.detach());
  return found;
}

Tensor block(const std::vector<Tensor>& in, const NormAct& act, bool plain) {
  NormAct full = act;
  full.before = in[1];
  full.gamma = in[2];
  full.beta = in[3];
  full.scale_shift = in[4];
  return plain ? norm_act_plain(in[0], full) : norm_act(in[0], full);
}

}  // namespace

TEST_CASE("norm act: the CPU's is the plain one, and the plain one is the formula") {
  const Tensor x = normals({3, 6, 4, 5}, 1), gamma = normals({6}, 2), beta = normals({6}, 3), before = normals({6}, 4);
  const Tensor modulation = normals({3, 12}, 5);
  NormAct act{2, 1e-5, gamma, beta, before, modulation};
  CHECK(at::equal(norm_act(x, act), norm_act_plain(x, act)));
  const Tensor h = (x + before.view({1, 6, 1, 1})).view({3, 2, -1});
  const Tensor hat = ((h - h.mean(2, true)) / (h.var(2, false, true) + 1e-5).sqrt()).view(x.sizes());
  const Tensor z = (hat * gamma.view({1, 6, 1, 1}) + beta.view({1, 6, 1, 1})) *
                       (1.0 + modulation.narrow(1, 0, 6).unsqueeze(2).unsqueeze(3)) +
                   modulation.narrow(1, 6, 6).unsqueeze(2).unsqueeze(3);
  CHECK(distance(norm_act(x, act), z * z.sigmoid()) < 1e-14);
  const Tensor a = normals({2, 6, 3, 3}, 6), b = normals({2, 6, 3, 3}, 7);
  CHECK(distance(add_scaled(a, b, before, 0.3), (a + b + before.view({1, 6, 1, 1})) * 0.3) < 1e-15);
}

TEST_CASE("norm act: the kernels agree with the plain one in float64, values and gradients", "[cuda]") {
  struct Shape {
    int64_t batch, channels, height, width, groups;
  };
  // Widths of a group that take packs of 8, 4, 2 and 1; an image that does not fit a block's shared memory; one pixel.
  for (const Shape s :
       {Shape{5, 64, 8, 8, 8}, Shape{3, 96, 16, 16, 8}, Shape{4, 16, 8, 8, 8}, Shape{2, 9, 4, 4, 3},
        Shape{2, 288, 32, 32, 8}, Shape{7, 8, 1, 1, 2}, Shape{2, 192, 32, 32, 8}, Shape{1, 640, 64, 64, 4}})
    for (const bool surrounded : {false, true})
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
        CAPTURE(s.channels, s.height, surrounded, c10::toString(dtype));
        const Tensor weights = normals({s.batch, s.channels, s.height, s.width}, 9);
        const std::vector<Tensor> exact = {
            normals(weights.sizes(), 1).to(dtype).to(at::kDouble),
            surrounded ? normals({s.channels}, 2).to(at::kFloat).to(at::kDouble) : Tensor(),
            normals({s.channels}, 3).to(at::kFloat).to(at::kDouble),
            normals({s.channels}, 4).to(at::kFloat).to(at::kDouble),
            surrounded ? normals({s.batch, 2 * s.channels}, 5).to(dtype).to(at::kDouble) : Tensor()};
        std::vector<Tensor> given;
        for (const Tensor& t : exact)
          given.push_back(t.defined() ? t.to(at::kCUDA, t.dim() == 1 ? at::kFloat : dtype) : t);
        given[0] = given[0].contiguous(at::MemoryFormat::ChannelsLast);
        NormAct act;
        act.groups = s.groups;
        const auto reference = with_gradients([&](const auto& in) { return block(in, act, true); }, exact, weights);
        const auto found = with_gradients([&](const auto& in) { return block(in, act, false); }, given,
                                          weights.to(dtype).to(at::kCUDA, at::kFloat));
        const double bound = dtype == at::kFloat ? 3e-6 : dtype == at::kHalf ? 2e-3 : 1.5e-2;
        REQUIRE(found.size() == reference.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
          CAPTURE(i);
          if (s.height > 1 || i == 0) CHECK(distance(found[i], reference[i]) < bound);
          CHECK(found[i].isfinite().all().item<bool>());
        }
        CHECK(found[0].is_contiguous(at::MemoryFormat::ChannelsLast));
        CHECK(at::equal(found[1], with_gradients([&](const auto& in) { return block(in, act, false); }, given,
                                                 weights.to(dtype).to(at::kCUDA, at::kFloat))[1]));
      }
}

TEST_CASE("add scaled: the kernels agree with the plain one in float64, values and gradients", "[cuda]") {
  for (const int64_t channels : {64, 20, 6, 3})
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      CAPTURE(channels, c10::toString(dtype));
      const Tensor weights = normals({5, channels, 9, 7}, 9);
      std::vector<Tensor> exact = {normals(weights.sizes(), 1), normals(weights.sizes(), 2), normals({channels}, 3)};
      std::vector<Tensor> given;
      for (Tensor& t : exact) {
        const auto type = t.dim() == 1 ? at::kFloat : dtype;
        t = t.to(type).to(at::kDouble);
        given.push_back(t.to(at::kCUDA, type));
        if (t.dim() == 4) given.back() = given.back().contiguous(at::MemoryFormat::ChannelsLast);
      }
      const auto reference =
          with_gradients([](const auto& in) { return add_scaled_plain(in[0], in[1], in[2], 0.7); }, exact, weights);
      const auto found = with_gradients([](const auto& in) { return add_scaled(in[0], in[1], in[2], 0.7); }, given,
                                        weights.to(dtype).to(at::kCUDA, at::kFloat));
      for (std::size_t i = 0; i < found.size(); ++i)
        CHECK(distance(found[i], reference[i]) < (dtype == at::kFloat ? 1e-6 : 1e-2));
    }
}

TEST_CASE("recomputed: the same value and gradients bit for bit, from a function that runs twice") {
  int calls = 0;
  const auto f = [&calls](const std::vector<Tensor>& in) {
    ++calls;
    return (in[0] * in[1]).tanh() + (in[2].defined() ? in[2] : in[0]);
  };
  const std::vector<Tensor> inputs = {normals({4, 3}, 1), normals({3}, 2), Tensor()};
  const Tensor weights = normals({4, 3}, 3);
  const auto plain = with_gradients(f, inputs, weights);
  CHECK(calls == 1);
  const auto again = with_gradients([&](const auto& in) { return recomputed(f, in); }, inputs, weights);
  CHECK(calls == 3);
  REQUIRE(plain.size() == again.size());
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(at::equal(plain[i], again[i]));
}

namespace {

UNetConfig network() {
  UNetConfig config;
  config.image_channels = 3;
  config.channels = {16, 24};
  config.embedding = 16;
  config.groups = 4;
  config.classes = 3;
  config.attention = true;
  return config;
}

Tensor random_flat(const Layout& layout) {
  return initial_parameters(layout, 1) + 0.1 * normals({count(layout)}, 5).to(at::kFloat);
}

}  // namespace

TEST_CASE("unet: blocks that are computed again give the same gradient, and refuse dropout") {
  const Layout layout = unet_layout(network());
  const Tensor x = normals({2, 3, 8, 8}, 1).to(at::kFloat), time = normals({2}, 2), labels = at::arange(2, at::kLong);
  const auto gradient = [&](bool recompute) {
    const Tensor leaf = random_flat(layout).requires_grad_();
    PassOptions options;
    options.recompute = recompute;
    const Tensor y = unet_forward(network(), unpack(layout, leaf), x, time, labels, options);
    return torch::autograd::grad({y.square().sum()}, {leaf})[0];
  };
  CHECK(distance(gradient(true), gradient(false)) < 1e-6);  // the embedding's gradient is summed in another order
  PassOptions both;
  both.recompute = true;
  both.regulariser = [](const Tensor& h) { return h; };
  CHECK_THROWS_WITH(unet_forward(network(), unpack(layout, random_flat(layout)), x, time, labels, both),
                    contains("dropout"));
}

TEST_CASE("unet: on CUDA it is what it is on the CPU, values and gradient", "[cuda]") {
  const Layout layout = unet_layout(network());
  const Tensor x = normals({4, 3, 16, 8}, 1), time = normals({4}, 2), labels = at::tensor({0, -1, 2, 1}, at::kLong);
  const auto run = [&](const at::Device& device, at::ScalarType dtype) {
    const Tensor leaf =
        random_flat(layout).to(device, dtype == at::kDouble ? at::kDouble : at::kFloat).requires_grad_();
    const Tensor y =
        unet_forward(network(), unpack(layout, leaf), x.to(device, dtype), time.to(device), labels.to(device));
    return std::pair(y.detach(), torch::autograd::grad({y.to(at::kDouble).square().sum()}, {leaf})[0]);
  };
  const FullFloat32 no_tf32;
  const auto [exact, slope] = run(at::kCPU, at::kDouble);
  for (const auto& [dtype, bound] : {std::pair(at::kDouble, 1e-12), {at::kFloat, 5e-5}, {at::kBFloat16, 5e-2}}) {
    CAPTURE(c10::toString(dtype));
    const auto [y, g] = run(at::kCUDA, dtype);
    CHECK(distance(y, exact) < bound);
    CHECK(distance(g, slope) < 2 * bound);
  }
}

TEST_CASE("device weights: another order of the same numbers") {
  const Layout layout = unet_layout(network());
  const DeviceWeights weights(layout);
  const Tensor flat = random_flat(layout);
  const Tensor packed = weights.packed(flat);
  CHECK(at::equal(weights.flat(packed), flat));
  CHECK_FALSE(at::equal(packed, flat));
  const Tensor cast = packed.narrow(0, 0, weights.cast_size());
  const Weights leaves = weights.leaves(packed, cast);
  const Weights plain = unpack(layout, flat);
  REQUIRE(leaves.size() == plain.size());
  for (const auto& [name, tensor] : leaves) {
    CAPTURE(name);
    CHECK(at::equal(tensor.detach(), plain.at(name)));
    CHECK(tensor.requires_grad());
    if (tensor.dim() == 4) CHECK(tensor.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
  // A gradient that is the weights themselves comes back as the packed vector.
  std::vector<Tensor> gradients;
  for (const Tensor& leaf : weights.in_order(leaves)) gradients.push_back(leaf.detach());
  CHECK(at::equal(weights.gathered(gradients), packed));
}

TEST_CASE("adam: one pass on CUDA is the plain update, and a gradient that is not finite changes nothing", "[cuda]") {
  const int64_t n = 1000;
  const auto make = [&](uint64_t seed) { return normals({n}, seed).to(at::kFloat); };
  const AdamOptions options{.beta2 = 0.99, .weight_decay = 0.1, .clip = 1.0};
  AdamState state{make(1), make(2).square(), 6};
  const Tensor parameters = make(3), gradient = make(4), average = make(5);
  const AdamUpdate expected = adam_update(parameters, gradient, state, 3e-3, options);
  cuda::AdamBuffers buffers{parameters.cuda(), state.mean.cuda(), state.square.cuda(), average.cuda(),
                            at::zeros({700}, at::device(at::kCUDA).dtype(at::kBFloat16))};
  const double k = 7.0;
  const Tensor rates = at::tensor({3e-3, 1 - std::pow(0.9, k), 1 - std::pow(0.99, k), 0.25}, at::kFloat).cuda();
  const Tensor scale = at::full({1}, 8.0f, at::device(at::kCUDA));
  const Tensor scaled = (gradient * 8.0).cuda();
  const auto step = [&](const Tensor& g) { cuda::adam_step(buffers, g, rates, g.norm().view({1}), scale, options); };
  step(scaled * std::numeric_limits<float>::infinity());
  CHECK(at::equal(buffers.parameters.cpu(), parameters));
  CHECK(at::equal(buffers.average.cpu(), average));
  step(scaled);
  CHECK(distance(buffers.parameters, expected.parameters) < 1e-6);
  CHECK(distance(buffers.mean, expected.state.mean) < 1e-6);
  CHECK(distance(buffers.square, expected.state.square) < 1e-6);
  CHECK(distance(buffers.average, average * 0.25 + expected.parameters * 0.75) < 1e-6);
  CHECK(at::equal(buffers.half.cpu(), buffers.parameters.narrow(0, 0, 700).to(at::kBFloat16).cpu()));
}

TEST_CASE("captured training: learns as the plain one does, and goes on from a checkpoint", "[cuda]") {
  ImageData data;
  data.name = data.sha256 = "waves";
  data.classes = 3;
  data.labels = at::arange(96, at::kLong) % 3;
  const Tensor phase = at::linspace(0.0, 6.0, 96, at::kFloat).view({96, 1, 1, 1});
  data.images =
      (phase + at::arange(8, at::kFloat).view({1, 1, 1, 8}) * 0.7 + at::arange(3, at::kFloat).view({1, 3, 1, 1}))
          .sin()
          .expand({96, 3, 8, 8})
          .contiguous() *
      0.8;
  DenoiserTraining training;
  training.batch = 32;
  training.images = 32 * 400;
  training.warmup = 10;
  training.learning_rate = 2e-3;
  training.dropout = 0.0;
  training.ema_half_life = 1000;
  training.flip = true;
  const double untrained = denoiser_loss(
      network(), unpack(unet_layout(network()), initial_parameters(unet_layout(network()), 0)), data, training, 4);
  const auto end_loss = [&](at::ScalarType dtype, bool captured, bool recompute) {
    DenoiserTraining t = training;
    t.dtype = dtype;
    t.captured = captured;
    t.recompute = recompute;
    const TrainedDenoiser trained = train_denoiser(network(), data, t, "", at::kCUDA);
    CHECK(trained.losses.size() == 4);
    return denoiser_loss(network(), trained.weights, data, training, 4);
  };
  const double plain = end_loss(at::kFloat, false, false);
  CHECK(plain < 0.5 * untrained);
  for (const auto& [dtype, recompute] :
       {std::pair(at::kFloat, false), {at::kFloat, true}, {at::kBFloat16, false}, {at::kHalf, false}}) {
    const double loss = end_loss(dtype, true, recompute);
    CAPTURE(c10::toString(dtype), recompute, loss, plain, untrained);
    CHECK(std::abs(loss / plain - 1.0) < 0.15);
  }
  training.dropout = 0.1;
  CHECK(end_loss(at::kBFloat16, true, false) < 0.7 * untrained);
  training.dropout = 0.0;

  // Images that are kept as bytes.
  const Layout layout = unet_layout(network());
  TrainingState start = TrainingState::fresh(initial_parameters(layout, 0));
  ImageData bytes = data;
  bytes.pixels = ((data.images + 1.0) * 127.5).round().to(at::kByte);
  bytes.images = Tensor();
  ImageData floats = bytes;
  floats.images = bytes.scaled(bytes.pixels);
  floats.pixels = Tensor();
  const auto of_bytes = captured_training(network(), bytes, training, start, at::Device(at::kCUDA, 0));
  const auto of_floats = captured_training(network(), floats, training, start, at::Device(at::kCUDA, 0));
  of_bytes->advance();
  of_floats->advance();
  CHECK(std::abs(of_bytes->mean_loss() / of_floats->mean_loss() - 1.0) < 1e-5);

  // Half-way, then from the state that a checkpoint would hold.
  const auto whole = captured_training(network(), data, training, start, at::Device(at::kCUDA, 0));
  const auto first = captured_training(network(), data, training, start, at::Device(at::kCUDA, 0));
  for (int i = 0; i < 20; ++i) whole->advance();
  for (int i = 0; i < 10; ++i) first->advance();
  const auto second = captured_training(network(), data, training, first->state(), at::Device(at::kCUDA, 0));
  for (int i = 0; i < 10; ++i) second->advance();
  CHECK(second->step() == 20);
  CHECK(distance(second->state().parameters, whole->state().parameters) < 1e-3);
  CHECK(distance(second->state().average, whole->state().average) < 1e-3);
  CHECK(whole->mean_loss() > 0.0);
  CHECK(std::isnan(whole->mean_loss()));
}
