#include "tests/catch_torch.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "neural/networks/features.h"
#include "neural/networks/model_loader.h"
#include "tests/temporary_folder.h"

using namespace stride;

namespace {

const std::string kModels = std::string(STRIDE_SOURCE_DIR) + "/models/";

FeatureConfig small() { return {.shape = {1, 8, 8}, .channels = {4, 8, 8}, .features = 12, .classes = 10}; }

}  // namespace

TEST_CASE("features: the stored network knows the digits, and what it says is float64") {
  const ImageData data = load_images(kModels + "digits/digits.safetensors");
  CHECK(data.size() == 1797);
  CHECK(data.shape() == std::vector<int64_t>{1, 8, 8});
  CHECK(data.images.min().item<double>() == -1.0);
  CHECK(data.images.max().item<double>() == 1.0);
  CHECK(data.std() == Approx(0.752).margin(0.001));

  const FeatureNetwork network = FeatureNetwork::load(kModels + "features-digits/weights.safetensors");
  CHECK(count(feature_layout(network.config())) <= 60'000);
  const Tensor features = network.features(data.images);
  CHECK(features.scalar_type() == at::kDouble);
  CHECK(features.sizes() == at::IntArrayRef({1797, network.size()}));
  // Chunks do not show, and neither does the dtype that the images came in.
  CHECK(at::allclose(network.features(data.images.narrow(0, 1000, 100)), features.narrow(0, 1000, 100), 1e-12, 1e-12));
  CHECK(at::equal(network.features(data.images.to(at::kDouble)), features));
  CHECK(network.classify(data.images).eq(data.labels).to(at::kDouble).mean().item<double>() >= 0.98);
  CHECK_THROWS_AS(network.features(at::zeros({2, 1, 4, 4})), UsageError);
  CHECK(network.features(at::zeros({0, 1, 8, 8})).size(0) == 0);
}

TEST_CASE("features: training learns, splits, and repeats bit for bit") {
  const ImageData data = load_images(kModels + "digits/digits.safetensors");
  FeatureTraining training;
  training.epochs = 3;
  const TrainedFeatures trained = train_features(small(), data, training, {});
  CHECK(trained.test_images == 359);
  CHECK(trained.test_accuracy > 0.7);
  const TrainedFeatures again = train_features(small(), data, training, {});
  for (const auto& [name, tensor] : trained.weights) CHECK(at::equal(tensor, again.weights.at(name)));
  ImageData shuffled = data;
  shuffled.labels = data.labels.roll(1);
  CHECK(train_features(small(), shuffled, training, {}).test_accuracy < 0.4);
  ImageData unlabelled = data;
  unlabelled.labels = Tensor();
  CHECK_THROWS_AS(train_features(small(), unlabelled, training, {}), UsageError);
}

TEST_CASE("features: a residual network learns, tests on images of its own, and is stored in float16") {
  const ImageData data = load_images(kModels + "digits/digits.safetensors");
  FeatureConfig config{.shape = {1, 8, 8}, .channels = {16, 32}, .blocks = 1, .features = 32, .classes = 10};
  CHECK(config.invalid_reason().empty());
  const FeatureConfig same = FeatureConfig::from_json(config.to_json(), "f");
  CHECK(same.blocks == 1);
  FeatureTraining training;
  training.epochs = 6;
  training.shift = 1;
  training.smoothing = 0.1;
  ImageData test = data;
  test.images = data.images.slice(0, 0, 300);
  test.labels = data.labels.slice(0, 0, 300);
  const TrainedFeatures trained = train_features(config, data, training, {}, at::kCPU, &test);
  CHECK(trained.test_images == 300);
  CHECK(trained.test_accuracy > 0.7);
  const testing::TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  write_features(path, trained, "residual", at::kHalf);
  const FeatureNetwork network = FeatureNetwork::load(path);
  CHECK(network.size() == 32);
  CHECK(std::abs(network.classify(test.images).eq(test.labels).to(at::kDouble).mean().item<double>() -
                 trained.test_accuracy) < 0.03);
  test.classes = 9;
  CHECK_THROWS_AS(train_features(config, data, training, {}, at::kCPU, &test), UsageError);
  config.features = 12;
  CHECK(config.invalid_reason().find("last of the channels") != std::string::npos);
  config.shape = {1, 7, 8};
  CHECK_FALSE(config.invalid_reason().empty());
}

TEST_CASE("features: a training as one CUDA graph is the plain one, and learns with all that it draws", "[cuda]") {
  const ImageData data = load_images(kModels + "digits/digits.safetensors");
  const FeatureConfig config{.shape = {1, 8, 8}, .channels = {16, 32}, .blocks = 1, .features = 32, .classes = 10};
  FeatureTraining training;
  training.epochs = 2;
  training.noise = training.dropout = 0.0;
  const auto trained = [&](bool captured) {
    training.captured = captured;
    return train_features(config, data, training, {}, at::kCUDA);
  };
  const TrainedFeatures graph = trained(true), plain = trained(false);
  for (const auto& [name, tensor] : plain.weights) {
    INFO(name);
    const double change = (graph.weights.at(name) - tensor).norm().item<double>();
    CHECK(change <= 2e-2 * (tensor.norm().item<double>() + 1e-3));
  }
  training.epochs = 6;
  training.shift = 1;
  training.noise = 0.1;
  training.dropout = 0.3;
  training.dtype = at::kBFloat16;
  CHECK(trained(true).test_accuracy > 0.7);
}

TEST_CASE("features: a file gives the network back, and a wrong one is refused") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  TrainedFeatures made;
  made.config = small();
  made.weights = unpack(feature_layout(made.config), initial_parameters(feature_layout(made.config), 1));
  write_features(path, made, "tiny");
  const FeatureNetwork network = FeatureNetwork::load(path);
  CHECK(network.name() == "tiny");
  CHECK(network.size() == 12);
  CHECK(network.sha256().size() == 64);
  CHECK_THROWS_AS(FeatureNetwork::load(path, std::string(64, 'a')), InputError);
  Safetensors file = read_safetensors_file(path);
  file.tensors["conv1.weight"] = at::zeros({1});
  CHECK_THROWS_AS(FeatureNetwork(file, "f", ""), InputError);
  file = read_safetensors_file(path);
  file.metadata["network"] = R"({"format":"stride-features","version":1,"shape":[1,7,8]})";
  CHECK_THROWS_AS(FeatureNetwork(file, "f", ""), InputError);
  file.metadata.clear();
  CHECK_THROWS_AS(FeatureNetwork(file, "f", ""), InputError);
}

TEST_CASE("images: files that are not image files are refused with the reason") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "images.safetensors";
  const std::map<std::string, Tensor> tensors = {{"images", at::full({3, 1, 4, 4}, 16, at::kByte)},
                                                 {"labels", at::arange(3, at::kLong)}};
  const std::map<std::string, std::string> metadata = {
      {"format", "stride-images"}, {"version", "1"}, {"name", "x"}, {"maximum", "16"}, {"classes", "3"}};
  const auto loads = [&](const std::map<std::string, Tensor>& t, const std::map<std::string, std::string>& m) {
    write_safetensors(path, t, m);
    try {
      return load_images(path).size() == 3;
    } catch (const InputError& error) {
      CHECK(std::string(error.what()).find(path) == 0);
      return false;
    }
  };
  const auto without = [](auto map, const std::string& key) {
    map.erase(key);
    return map;
  };
  const auto with = [](auto map, const std::string& key, const auto& value) {
    map[key] = value;
    return map;
  };
  CHECK(loads(tensors, metadata));
  CHECK(loads(without(tensors, "labels"), without(metadata, "classes")));
  CHECK_FALSE(loads(without(tensors, "images"), metadata));
  CHECK_FALSE(loads(with(tensors, "images", at::zeros({3, 1, 4, 4})), metadata));
  CHECK_FALSE(loads(with(tensors, "images", at::zeros({3, 4, 4}, at::kByte)), metadata));
  CHECK_FALSE(loads(with(tensors, "images", at::full({3, 1, 4, 4}, 17, at::kByte)), metadata));
  CHECK_FALSE(loads(with(tensors, "labels", at::arange(2, at::kLong)), metadata));
  CHECK_FALSE(loads(with(tensors, "labels", at::arange(3, at::kLong) + 1), metadata));
  CHECK_FALSE(loads(with(tensors, "labels", at::arange(3, at::kLong) - 1), metadata));
  for (const char* key : {"format", "version", "maximum", "classes"})
    CHECK_FALSE(loads(tensors, without(metadata, key)));
  for (const char* key : {"version", "maximum", "classes"})
    for (const char* value : {"", "0", "-1", "x", "1.5", "1 ", "99999999999999999999"})
      CHECK_FALSE(loads(tensors, with(metadata, key, std::string(value))));
}
