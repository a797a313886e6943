#include "pipeline/models/foreign_card.h"

#include "framework/dtype_name.h"
#include "framework/files/hash.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

CodeFile read_code(TomlReader& reader) {
  CodeFile code;
  code.file = reader.text("file").value_or("");
  if (code.file.empty()) reader.fail("file", "is missing: the network's code, relative to the card");
  code.sha256 = read_sha256(reader, "sha256");
  if (code.sha256.empty())
    reader.fail("sha256", "is missing: a file of code is opened only where the card says which one it is");
  return code;
}

std::vector<CodeFile> read_packages(TomlReader& reader, const std::string& where, const std::string& name) {
  std::vector<CodeFile> code;
  for (const toml::table* table : reader.tables("packages")) {
    TomlReader inner(*table, where, name + ".packages");
    CodeFile one = read_code(inner);
    one.batch = inner.integer("batch").value_or(0);
    if (one.batch < 1 || one.batch > kLargestBatch)
      inner.fail("batch", fmt::format("must be positive, and at most {}: the rows that this package was compiled for",
                                      kLargestBatch));
    const auto same = [&](const CodeFile& other) { return other.batch == one.batch; };
    if (std::any_of(code.begin(), code.end(), same)) inner.fail("batch", "is that of another package too");
    inner.done();
    code.push_back(std::move(one));
  }
  if (code.empty()) reader.fail("packages", "is empty");
  return code;
}

}  // namespace

bool is_foreign(const std::string& kind) { return kind == "torchscript" || kind == "aoti"; }

std::string read_sha256(TomlReader& reader, const std::string& key) {
  std::string text = reader.text(key).value_or("");
  const bool fits = text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!text.empty() && !fits) reader.fail(key, "must be 64 lower-case hexadecimal digits");
  return text;
}

std::string foreign_identity(const ForeignCard& card, const std::string& weights_sha256) {
  if (!weights_sha256.empty()) return weights_sha256;
  if (card.code.size() == 1) return card.code.front().sha256;
  std::string all;
  for (const CodeFile& code : card.code) all += code.sha256;
  return sha256(all);
}

ForeignCard read_foreign_card(TomlReader& reader, const std::string& where, const std::string& table,
                              const std::string& kind) {
  ForeignCard card;
  const bool packaged = kind == "aoti";
  if (packaged && reader.node("packages") != nullptr)
    card.code = read_packages(reader, where, table);
  else
    card.code = {read_code(reader)};
  if (packaged) {
    card.device = reader.text("device").value_or("");
    if (card.device != "cpu" && card.device != "cuda")
      reader.fail("device", "must be \"cpu\" or \"cuda\": what the package was compiled for");
    card.weights = reader.text("weights").value_or("");
    card.weights_sha256 = read_sha256(reader, "weights_sha256");
    if (!card.weights_sha256.empty() && card.weights.empty())
      reader.fail("weights_sha256", "is of a file `weights`, which is missing");
  }
  const std::string dtype = reader.text("dtype").value_or("float32");
  const auto types = {at::kFloat, at::kHalf, at::kBFloat16};
  const auto* const found =
      std::find_if(types.begin(), types.end(), [&](at::ScalarType type) { return dtype_name(type) == dtype; });
  if (found == types.end())
    reader.fail("dtype", fmt::format("is '{}', but must be float32, float16 or bfloat16", dtype));
  card.dtype = *found;
  return card;
}

std::vector<int64_t> read_batches(TomlReader& reader, const ForeignCard* foreign) {
  const toml::node* node = reader.node("batches");
  if (node == nullptr) return {};
  if (foreign != nullptr && foreign->code.front().batch > 0)
    reader.fail("batches", "follows from `packages`, each of which has its own `batch`");
  if (const auto* text = node->as_string(); text != nullptr && text->get() == "dynamic") return {};
  std::vector<int64_t> sizes;
  if (node->is_array()) sizes = reader.integers("batches").value_or(std::vector<int64_t>{});
  if (sizes.empty()) reader.fail("batches", "is \"dynamic\" or a list of sizes");
  std::sort(sizes.begin(), sizes.end());
  if (sizes.front() < 1 || sizes.back() > kLargestBatch)
    reader.fail("batches", fmt::format("must hold positive sizes, at most {}", kLargestBatch));
  return sizes;
}

}  // namespace stride
