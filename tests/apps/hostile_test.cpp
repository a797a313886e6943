// Every value of every document that Stride reads, replaced by what no program writes, one at a time: what reads it
// says what is wrong and where (exit code 3, or 2 for a configuration), or takes it as the value that it is. Never a
// crash, never exit code 1 or 5, never the words of a library.
#include "datasets/files/npz.h"
#include "datasets/files/npz_reader.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "framework/files/seal.h"
#include "tests/apps/in_process.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"
#include "tests/neural/scripted_module.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <ATen/ATen.h>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::Outcome;
using Words = std::vector<std::string>;

// As JSON text: some of it no JSON library can hold.
std::vector<std::pair<std::string, std::string>> hostile_values() {
  const std::string deep(5000, '[');
  return {{"null", "null"},
          {"true", "true"},
          {"-1", "-1"},
          {"0", "0"},
          {"1.5", "1.5"},
          {"1e308", "1e308"},
          {"1e999", "1e999"},
          {"2^62", "4611686018427387904"},
          {"2^63", "9223372036854775808"},
          {"empty text", "\"\""},
          {"a megabyte", "\"" + std::string(1 << 20, 'a') + "\""},
          {"an escape sequence", "\"\\u001b[31mred\\u0007\\nok forged\""},
          {"a path", "\"../../no/such/file\""},
          {"no UTF-8", "\"\xff\xfe\""},
          {"empty list", "[]"},
          {"list of lists", "[[], [[]], [4611686018427387904, 4611686018427387904]]"},
          {"empty object", "{}"},
          {"object", "{\"a\": {\"b\": []}}"},
          {"deep", deep + std::string(5000, ']')}};
}

/// A document, how its text becomes a file, and the commands that read it.
struct Document {
  std::string name, file;  ///< what messages must name
  std::string text;        ///< JSON
  bool sealed = false;
  std::function<void(const std::string& text)> write;
  std::vector<Words> commands;
};

constexpr const char* kMark = "@hostile@";

std::string with_value(const Document& document, const std::string& pointer, const std::string& value) {
  Json all = Json::parse(document.text);
  const Json parsed = value.size() > 2000 && value[0] == '[' ? Json() : Json::parse(value, nullptr, false);
  const bool plain = !parsed.is_discarded() && value != "1e999" && value.find("[[[[") == std::string::npos;
  all[Json::json_pointer(pointer)] = plain ? parsed : Json(kMark);
  std::string text = document.sealed ? sealed_json(all) : all.dump();
  if (!plain) {
    const std::string mark = std::string("\"") + kMark + "\"";
    text.replace(text.find(mark), mark.size(), value);
  }
  return text;
}

std::string without_value(const Document& document, const std::string& pointer) {
  const Json::json_pointer place(pointer);
  Json all = Json::parse(document.text);
  Json& parent = all[place.parent_pointer()];
  if (parent.is_object())
    parent.erase(place.back());
  else
    parent.erase(static_cast<std::size_t>(std::stoul(place.back())));
  return document.sealed ? sealed_json(all) : all.dump();
}

class Desk final {
 public:
  Desk();
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Outcome run(Words words) const {
    words.insert(words.begin() + 1, {"--threads", "1"});
    return testing::run_here(folder_.path(), words);
  }
  void done(const Words& words) const {
    const Outcome got = run(words);
    INFO(words[0] << ": " << got.err);
    REQUIRE(got.code == 0);
  }
  [[nodiscard]] std::vector<Document> documents() const;

 private:
  [[nodiscard]] Document in_folder(const std::string& name, const std::string& folder, const std::string& file,
                                   std::vector<Words> commands) const;
  [[nodiscard]] Document in_weights(const std::string& name, const std::string& file, const std::string& key,
                                    std::vector<Words> commands) const;

  testing::TemporaryFolder folder_;
};

// A network of another project, with its probe.
void write_foreign(const std::string& folder) {
  make_folders(folder);
  write_file_atomic(folder + "/network.pt",
                    testing::scripted("def forward(self, x, t, y):\n  return 0.3 * x + 0.1 * y.view(-1, 1)\n"));
  const Tensor x = at::ones({2, 2}), y = at::ones({2}, at::kLong);
  write_safetensors(folder + "/probe.safetensors",
                    {{"input", x}, {"time", at::ones({2})}, {"condition.class", y}, {"output", 0.3 * x + 0.1}});
  write_file_atomic(folder + "/card.toml",
                    "[model]\nname = \"theirs\"\nkind = \"torchscript\"\nfile = \"network.pt\"\nsha256 = \"" +
                        sha256_file(folder + "/network.pt") +
                        "\"\ndtype = \"float32\"\nprobe = \"probe.safetensors\"\nprobe_sha256 = \"" +
                        sha256_file(folder + "/probe.safetensors") +
                        "\"\nshape = [2]\nsigma_min = 0.02\nsigma_max = 20.0\nsigma_data = 0.5\nprediction = "
                        "\"epsilon\"\ntime = \"timestep\"\ninterpolation = \"linear\"\nnoise_schedule = { kind = "
                        "\"scaled_linear\", beta_start = 0.00085, beta_end = 0.012, steps = 1000 }\nbatches = [2, "
                        "16]\nconditions = [ { name = \"class\", classes = 3, null = 3 } ]\n");
}

Desk::Desk() {
  write_file_atomic(folder_ / "gm.toml", testing::kMixtureCard);
  make_folders(folder_ / "images");
  for (int i = 0; i < 4; ++i)
    write_file_atomic(folder_ / ("images/" + std::to_string(i) + ".png"),
                      testing::png_of(testing::some_pixels(8, 8, 1, static_cast<unsigned>(i))));
  const std::string model = folder_ / "gm.toml";
  done({"sample", "--model", model, "--steps", "2", "--seeds", "0-1", "--outdir", folder_ / "run"});
  done({"record", "--model", model, "--steps", "8", "--seeds", "0-39", "--outdir", folder_ / "teacher"});
  done({"evaluate",     "--model", model,      "--solver",    "euler", "--solver", "ralston",
        "--policy",     "fixed",   "--policy", "pi:atol=0.1", "--nfe", "2",        "--teacher",
        "heun:steps=4", "--seeds", "0-7",      "--blocks",    "2",     "--outdir", folder_ / "judged"});
  done({"fit", "--model", model, "--seeds", "0-7", "--val-seeds", "100-107", "--nfe", "2", "--teacher", "heun:steps=6",
        "--iterations", "1", "--restarts", "1", "--final", "sigma_min", "--outdir", folder_ / "fitted"});
  done({"train-predictor", "--store", folder_ / "teacher", "--training-steps", "3", "--jumps", "4", "--outdir",
        folder_ / "trained"});
  done({"train-denoiser", "--data", folder_ / "images", "--unconditional", "--out", folder_ / "model", "--channels",
        "8", "--embedding", "8", "--images", "8", "--minibatch", "4", "--outdir", folder_ / "training"});
  write_foreign(folder_ / "foreign");
  done({"stats", "--data", folder_ / "images", "--features", "features-digits", "--out", folder_ / "stats.npz"});
  std::ofstream(folder_ / "config.json") << R"({"command": "sample", "sampling": {"model": ")" << model
                                         << R"(", "solver": "euler", "steps": 3, "schedule": "karras"},
        "run": {"seeds": "0-1", "batch": 4, "dtype": "float32", "threads": 1}})";
  std::ofstream(folder_ / "familiar.json") << R"({"sampler": "DDIM", "steps": 3, "eta": 0.0, "schedule": "linear"})";
}

// A document in a folder that a command may change: each time in a fresh copy of it.
Document Desk::in_folder(const std::string& name, const std::string& folder, const std::string& file,
                         std::vector<Words> commands) const {
  const std::string from = *this / folder, copy = *this / (folder + "-copy");
  Document out;
  out.name = name;
  out.file = fs::path(file).filename();
  out.text = read_file(from + "/" + file);
  out.sealed = true;
  out.write = [from, copy, file](const std::string& text) {
    fs::remove_all(copy);
    fs::copy(from, copy, fs::copy_options::recursive);
    if (file != "DONE") fs::remove(copy + "/DONE");  // which would say at once that the file is another
    write_file_atomic(copy + "/" + file, text);
  };
  for (Words& words : commands)
    for (std::string& word : words)
      if (word.starts_with("@")) word = copy + word.substr(1);
  out.commands = std::move(commands);
  return out;
}

// A document among the metadata of weights.
Document Desk::in_weights(const std::string& name, const std::string& file, const std::string& key,
                          std::vector<Words> commands) const {
  const std::string path = *this / file;
  const auto weights = std::make_shared<Safetensors>(read_safetensors_file(path));
  Document out;
  out.name = name;
  out.file = fs::path(file).filename();
  out.text = weights->metadata.at(key);
  out.write = [path, weights, key](const std::string& text) {
    auto metadata = weights->metadata;
    metadata[key] = text;
    try {
      write_safetensors(path, weights->tensors, metadata);
    } catch (const UsageError&) {  // not UTF-8: the file that holds it cannot be, either
      std::string bytes = format_safetensors(weights->tensors, weights->metadata);
      bytes[9] = '\xff';
      write_file_atomic(path, bytes);
    }
  };
  out.commands = std::move(commands);
  return out;
}

std::vector<Document> Desk::documents() const {
  const std::string model = *this / "gm.toml";
  const auto sampled = [&](const Words& more) {
    Words words = {"sample", "--model", model, "--steps", "2", "--seeds", "0-1", "--outdir", *this / "sampled"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  std::vector<Document> out;
  out.push_back(in_folder("run's manifest", "run", "manifest.json",
                          {{"verify", "@"}, {"inspect", "@"}, {"sample", "--resume", "@"}}));
  out.push_back(in_folder("run's end", "run", "DONE", {{"verify", "@"}, {"sample", "--resume", "@"}}));
  out.push_back(
      in_folder("store's manifest", "teacher", "store/manifest.json", {{"inspect", "@/store"}, {"verify", "@/store"}}));
  out.back().file = "/store";  // or a shard of it, which its manifest says something else of
  out.push_back(in_folder("results", "judged", "results.json", {{"report", "@", "--out", *this / "page.html"}}));
  out.push_back(
      in_folder("manifest in a report", "judged", "manifest.json", {{"report", "@", "--out", *this / "page.html"}}));
  out.push_back(
      in_folder("plan", "fitted", "plan.json",
                {{"inspect", "@/plan.json"}, sampled({"--solver", "plan:" + (*this / "fitted-copy/plan.json")})}));
  write_file_atomic(*this / "judged/report.json", report_json(load_report({*this / "judged"})));
  out.push_back(in_folder("report", "judged", "report.json", {{"report", "@", "--out", *this / "page.html"}}));
  fs::remove(*this / "judged/report.json");
  out.push_back(in_weights("predictor", "trained/predictor.safetensors", "predictor",
                           {sampled({"--solver", "dpmpp_2m", "--policy",
                                     "predictor:" + (*this / "trained/predictor.safetensors") + ",tolerance=0.1"})}));
  // Without the hash of the weights that are about to change.
  std::string card = read_file(*this / "model/card.toml");
  card.erase(0, card.find('\n') + 1);
  card.erase(card.find("sha256 = "), card.find('\n', card.find("sha256 = ")) - card.find("sha256 = "));
  write_file_atomic(*this / "model/card.toml", card);
  out.push_back(in_weights(
      "network", "model/unet.safetensors", "network",
      {{"sample", "--model", *this / "model", "--steps", "1", "--seeds", "0", "--outdir", *this / "sampled"}}));
  for (const char* name : {"config.json", "familiar.json"}) {
    const std::string path = *this / name;
    Document config{
        name, name, read_file(path), false, [path](const std::string& text) { write_file_atomic(path, text); }, {}};
    config.commands = {{"sample", "--config", path, "--dry-run"}};
    out.push_back(std::move(config));
  }
  const std::string stats = *this / "stats.npz";
  const auto arrays = std::make_shared<NpzReader>(NpzReader::open(stats));
  const Tensor own = arrays->read("stride");
  Document statistics{"statistics",
                      "stats.npz",
                      {static_cast<const char*>(own.const_data_ptr()), static_cast<std::size_t>(own.numel())},
                      false,
                      {},
                      {}};
  statistics.write = [stats, arrays](const std::string& text) {
    Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::TensorOptions().dtype(at::kByte));
    std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
    std::vector<std::pair<std::string, Tensor>> all;
    for (const std::string& name : arrays->names())
      all.emplace_back(name, name == "stride" ? bytes : arrays->read(name));
    write_file_atomic(stats, npz_bytes(all));
  };
  statistics.commands = {{"metrics", "--samples", *this / "images", "--ref", stats, "--features", "features-digits",
                          "--metric", "fd", "--dry-run"}};
  out.push_back(std::move(statistics));
  return out;
}

struct Counts {
  int tried = 0, refused = 0, taken = 0;
};

void check_outcome(const Document& document, const Outcome& got, Counts& counts) {
  INFO("exit " << got.code << ": " << got.err.substr(0, 2000));
  ++counts.tried;
  ++(got.code == 0 ? counts.taken : counts.refused);
  // 4: a sample that did not stay finite, of a plan whose numbers are those that it says.
  const bool known = got.code == 0 || got.code == 2 || got.code == 3 || got.code == 4;
  CHECK(known);
  for (const char* foreign : {"json.exception", "type_error", "out_of_range", "c10::", "terminate", "std::", "[json"})
    CHECK(got.err.find(foreign) == std::string::npos);
  for (const std::string* text : {&got.out, &got.err})
    for (const char c : {'\x1b', '\x07'}) CHECK(text->find(c) == std::string::npos);
  CHECK(got.err.find("\nok forged") == std::string::npos);
  // `verify` lists what it found on standard output.
  // A setting may be named as its option, or by the file that it names.
  if (got.code == 3)
    CHECK_THAT((got.err + got.out).substr(0, 20000),
               contains(document.file) || contains("error: --") || contains("error: cannot read"));
}

void try_documents(const std::function<bool(std::size_t)>& take, bool print) {
  const Desk desk;
  std::size_t turn = 0;
  for (const Document& document : desk.documents()) {
    Counts counts;
    const auto attempt = [&](const std::string& what, const std::string& text) {
      INFO(document.name << ": " << what);
      document.write(text);
      for (const Words& words : document.commands) {
        fs::remove_all(desk / "sampled");
        check_outcome(document, desk.run(words), counts);
      }
    };
    // The document as it is, sealed anew, is read: what is refused below is refused for what was put there.
    document.write(document.sealed ? sealed_json(Json::parse(document.text)) : document.text);
    for (const Words& words : document.commands) {
      fs::remove_all(desk / "sampled");
      desk.done(words);
    }
    const Json leaves = Json::parse(document.text).flatten();
    for (const auto& [pointer, unused] : leaves.items()) {
      if (document.sealed && pointer == std::string("/") + kSealKey) continue;
      if (take(turn++)) attempt(pointer + " missing", without_value(document, pointer));
      for (const auto& [name, value] : hostile_values())
        if (take(turn++)) attempt(pointer + " is " + name, with_value(document, pointer, value));
    }
    for (const auto& [name, value] : hostile_values())
      if (take(turn++)) attempt("all of it is " + name, value);
    document.write(document.text);
    if (print)
      std::printf("%-22s %4zu values: %6d readings, refused %6d, taken %5d\n", document.name.c_str(), leaves.size(),
                  counts.tried, counts.refused, counts.taken);
    CHECK(counts.refused > 0);
  }
}

// Cards and configurations: the value of each line replaced.
void try_toml(const std::function<bool(std::size_t)>& take, bool print) {
  const Desk desk;
  const auto deep = [](const std::string& open, const std::string& close) {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += open;
    text += "1";
    for (int i = 0; i < 20000; ++i) text += close;
    return text;
  };
  std::string dotted = "a";
  for (int i = 0; i < 100000; ++i) dotted += ".a";
  const std::vector<std::string> values = {"-1",
                                           "0",
                                           "1.5",
                                           "1e308",
                                           "1e999",
                                           "inf",
                                           "nan",
                                           "true",
                                           "\"\"",
                                           "[]",
                                           "{}",
                                           "[[]]",
                                           "[[[1]]]",
                                           "4611686018427387904",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "[4611686018427387904, 4611686018427387904]",
                                           "[0, 4611686018427387904]",
                                           "\"\\u001b[31m\\nok forged\"",
                                           "\"\xff\"",
                                           "\"" + std::string(1 << 20, 'a') + "\"",
                                           "1979-05-27",
                                           deep("[", "]"),
                                           deep("{a=", "}"),
                                           "{ " + dotted + " = 1 }",
                                           "1\n" + dotted + " = 1",
                                           "1\n[" + dotted + "]",
                                           "\"unclosed",
                                           "'''",
                                           "[1, 2"};
  struct Toml {
    std::string name, path, text;
    Words command;
  };
  const auto at = [&](const std::string& name, const std::string& file, Words command) {
    return Toml{name, desk / file, read_file(desk / file), std::move(command)};
  };
  std::string card = read_file(desk / "model/card.toml");
  write_file_atomic(desk / "model/card.toml", card.substr(card.find('\n') + 1));  // no seal
  write_file_atomic(
      desk / "conf.toml",
      desk.run({"sample", "--model", desk / "gm.toml", "--steps", "2", "--seeds", "0-1", "--print-config"}).out);
  const std::vector<Toml> texts = {
      at("card of a mixture", "gm.toml",
         {"sample", "--model", desk / "gm.toml", "--steps", "1", "--seeds", "0", "--outdir", desk / "sampled"}),
      at("card of a network", "model/card.toml",
         {"sample", "--model", desk / "model", "--steps", "1", "--seeds", "0", "--outdir", desk / "sampled"}),
      at("card of a foreign network", "foreign/card.toml",
         {"sample", "--model", desk / "foreign", "--trust-model", "--steps", "1", "--seeds", "0", "--outdir",
          desk / "sampled"}),
      at("configuration", "conf.toml", {"sample", "--config", desk / "conf.toml", "--dry-run"})};
  std::size_t turn = 0;
  for (const Toml& toml : texts) {
    Counts counts;
    // What is wrong with a card may be seen in the weights beside it.
    const fs::path place(toml.path);
    const std::string named = place.filename() == "card.toml" ? "/" + place.parent_path().filename().string() + "/"
                                                              : place.filename().string();
    const Document document{toml.name, named, "", false, {}, {}};
    for (std::size_t begin = 0; begin < toml.text.size();) {
      const std::size_t end = std::min(toml.text.find('\n', begin), toml.text.size());
      const std::size_t equals = toml.text.find(" = ", begin);
      if (equals < end && toml.text[begin] != '#') {
        for (const std::string& value : values) {
          if (!take(turn++)) continue;
          INFO(toml.name << ": " << toml.text.substr(begin, equals - begin) << " is " << value.substr(0, 50));
          write_file_atomic(toml.path, toml.text.substr(0, equals + 3) + value + toml.text.substr(end));
          fs::remove_all(desk / "sampled");
          check_outcome(document, desk.run(toml.command), counts);
        }
      }
      begin = end + 1;
    }
    write_file_atomic(toml.path, toml.text);
    if (print)
      std::printf("%-22s %6d readings, refused %6d, taken %5d\n", toml.name.c_str(), counts.tried, counts.refused,
                  counts.taken);
    CHECK(counts.refused > 0);
  }
}

}  // namespace

TEST_CASE("hostile: a value that no program writes is refused by its place, in every document") {
  try_documents([](std::size_t turn) { return turn % 41 == 7; }, false);
}
TEST_CASE("hostile: the same of cards and configurations in TOML") {
  try_toml([](std::size_t turn) { return turn % 7 == 3; }, false);
}
TEST_CASE("hostile: every value of every document", "[slow]") {
  try_documents([](std::size_t turn) { return turn % 3 == 0; }, false);
}
TEST_CASE("campaign hostile: every value of every document", "[.campaign]") {
  try_documents([](std::size_t) { return true; }, true);
  try_toml([](std::size_t) { return true; }, true);
}

}  // namespace stride
