#include "framework/files/safetensors.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_text.h"
#include "framework/files/limits.h"
#include "framework/files/safetensors_seal.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

namespace stride {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "Stride's files are little-endian, and so must be the host");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kSeal = "stride_xxh3_128";
// Nothing in a header is deeper than name → data_offsets → number.
constexpr int kMaxDepth = 3;

struct Dtype {
  const char* name;
  at::ScalarType type;
};
constexpr std::array kDtypes{
    Dtype{"F64", at::kDouble}, Dtype{"F32", at::kFloat}, Dtype{"F16", at::kHalf},  Dtype{"BF16", at::kBFloat16},
    Dtype{"I64", at::kLong},   Dtype{"I32", at::kInt},   Dtype{"I16", at::kShort}, Dtype{"I8", at::kChar},
    Dtype{"U8", at::kByte},    Dtype{"BOOL", at::kBool},
};

// Of the header without the seal, whatever the order of its entries was, and of the data.
std::string seal_of(const json& header, std::string_view data) {
  return xxh3_128(xxh3_128(data) + header.dump(-1, ' ', false, json::error_handler_t::replace));
}

struct Entry {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  std::uint64_t begin;
  std::uint64_t end;
};

class Parser final {
 public:
  Parser(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  Safetensors parse() {
    json header = read_header();
    Safetensors result;
    check_seal(header);
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == kMetadata) {
        result.metadata = read_metadata(value);
      } else {
        entries.push_back(read_entry(name, value));
      }
    }
    check_layout(entries);
    if (entries.size() > kMaxNames) fail(fmt::format("it holds {} tensors", entries.size()));
    for (const Entry& entry : entries) result.tensors.emplace(entry.name, read_tensor(entry));
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{} is not a valid safetensors file: {}", where_, what));
  }
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    fail(fmt::format("tensor \"{}\": {}", tensor, what));
  }

  json read_header() {
    if (bytes_.size() < kLengthBytes) fail(fmt::format("{} bytes are too short for one", bytes_.size()));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), kLengthBytes);
    if (length > kMaxHeader) fail(fmt::format("its header claims {} bytes, over the format's 100 MB", length));
    if (length > bytes_.size() - kLengthBytes) {
      fail(fmt::format("its header claims {} bytes, the file has {}: cut short?", length, bytes_.size()));
    }
    const std::string_view text = bytes_.substr(kLengthBytes, length);
    data_ = bytes_.substr(kLengthBytes + length);
    if (text.empty() || text.front() != '{') fail("its header does not start with '{'");
    return parse_json(text);
  }

  /// Takes the seal out, where there is one.
  void check_seal(json& header) const {
    const auto metadata = header.find(kMetadata);
    if (metadata == header.end() || !metadata->is_object() || !metadata->contains(kSeal)) return;
    const json seal = (*metadata)[kSeal];
    metadata->erase(kSeal);
    if (metadata->empty()) header.erase(metadata);
    if (seal != seal_of(header, data_)) fail("its checksum is wrong: it was damaged, or changed by another program");
  }

  json parse_json(std::string_view text) const {
    (void)parse_json_text(text,
                          where_ + " is not a valid safetensors file: its header");  // whose messages name the place
    // The library keeps the last of two equal keys; here two are an error.
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      if (depth > kMaxDepth) fail("its header is nested too deeply");
      if (event == json::parse_event_t::object_start) {
        keys.emplace_back();
      } else if (event == json::parse_event_t::object_end) {
        keys.pop_back();
      } else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
        fail(fmt::format("its header has \"{}\" twice", value.get<std::string>()));
      }
      return true;
    };
    try {
      json header = json::parse(text, watch);
      if (!header.is_object()) fail("its header is not a JSON object");
      return header;
    } catch (const json::exception& error) {
      fail(fmt::format("its header is not JSON (error {})", error.id));
    }
  }

  std::map<std::string, std::string> read_metadata(const json& value) const {
    if (!value.is_object()) fail("__metadata__ is not an object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) fail(fmt::format("__metadata__ \"{:.40}\" is not a string", key));
      metadata.emplace(key, entry.get<std::string>());
    }
    return metadata;
  }

  Entry read_entry(const std::string& name, const json& value) const {
    if (name.size() > kMaxNameBytes) fail(fmt::format("a tensor has a name of {} bytes", name.size()));
    if (!value.is_object()) fail(name, "its description is not an object");
    for (const auto& [key, unused] : value.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        fail(name, fmt::format("unknown key \"{:.40}\"", key));
    }
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!value.contains(key)) fail(name, fmt::format("\"{}\" is missing", key));
    }
    const std::vector<std::uint64_t> offsets = read_numbers(name, "data_offsets", value["data_offsets"]);
    if (offsets.size() != 2) fail(name, "data_offsets does not have two entries");
    Entry entry{name, read_dtype(name, value["dtype"]), {}, offsets[0], offsets[1]};
    if (entry.begin > entry.end)
      fail(name, fmt::format("its data ends at {} before it starts at {}", entry.end, entry.begin));
    if (entry.end > data_.size()) {
      fail(name, fmt::format("its data ends at {}, the file's at {}: cut short?", entry.end, data_.size()));
    }
    const std::uint64_t size = read_shape(entry, value["shape"]);
    if (size != entry.end - entry.begin) {
      fail(name, fmt::format("its shape needs {} bytes, its data has {}", size, entry.end - entry.begin));
    }
    return entry;
  }

  at::ScalarType read_dtype(const std::string& name, const json& value) const {
    if (!value.is_string()) fail(name, "dtype is not a string");
    const auto text = value.get<std::string>();
    const auto* found =
        std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& each) { return text == each.name; });
    if (found == kDtypes.end()) fail(name, fmt::format("unknown dtype \"{:.40}\"", text));
    return found->type;
  }

  /// Fills entry.shape; returns the bytes that it needs.
  std::uint64_t read_shape(Entry& entry, const json& value) const {
    constexpr auto kLimit = static_cast<std::uint64_t>(std::numeric_limits<int64_t>::max());
    std::uint64_t size = c10::elementSize(entry.type);
    for (const std::uint64_t extent : read_numbers(entry.name, "shape", value)) {
      if (extent > kLimit || (extent != 0 && size > kLimit / extent)) fail(entry.name, "its shape overflows");
      size *= extent;
      entry.shape.push_back(static_cast<int64_t>(extent));
      if (entry.shape.size() > kMaxRank) fail(entry.name, fmt::format("it has more than {} dimensions", kMaxRank));
    }
    return size;
  }

  std::vector<std::uint64_t> read_numbers(const std::string& name, const char* key, const json& value) const {
    if (!value.is_array()) fail(name, fmt::format("{} is not a list", key));
    std::vector<std::uint64_t> numbers;
    for (const json& each : value) {
      if (!each.is_number_unsigned()) fail(name, fmt::format("{} has an entry that is no whole number ≥ 0", key));
      numbers.push_back(each.get<std::uint64_t>());
    }
    return numbers;
  }

  /// The tensors fill the data without gap or overlap.
  void check_layout(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t end = 0;
    for (const Entry& entry : entries) {
      if (entry.begin < end) fail(entry.name, "its data overlaps another tensor's");
      if (entry.begin > end) fail(entry.name, fmt::format("a gap of {} bytes before its data", entry.begin - end));
      end = entry.end;
    }
    if (end != data_.size()) fail(fmt::format("{} bytes after the last tensor", data_.size() - end));
  }

  Tensor read_tensor(const Entry& entry) const {
    const std::string_view bytes = data_.substr(entry.begin, entry.end - entry.begin);
    if (entry.type == at::kBool && bytes.find_first_not_of(std::string_view("\0\1", 2)) != std::string_view::npos) {
      fail(entry.name, "a BOOL that is neither 0 nor 1");
    }
    Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(entry.type));
    if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    return tensor;
  }

  std::string_view bytes_;
  std::string_view data_;
  const std::string& where_;
};

const char* dtype_name(const std::string& tensor, at::ScalarType type) {
  const auto* found =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& each) { return type == each.type; });
  if (found == kDtypes.end()) {
    throw UsageError(
        fmt::format("safetensors has no dtype {} (tensor \"{}\"): convert it first", c10::toString(type), tensor));
  }
  return found->name;
}

}  // namespace

bool is_sealed_safetensors(std::string_view bytes) noexcept {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) return false;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const json header = json::parse(bytes.substr(kLengthBytes, length), nullptr, false);
  if (!header.is_object()) return false;
  const auto metadata = header.find(kMetadata);
  return metadata != header.end() && metadata->is_object() && metadata->contains(kSeal);
}

Safetensors parse_safetensors(std::string_view bytes, const std::string& where) { return Parser(bytes, where).parse(); }

std::string format_safetensors(const std::map<std::string, Tensor>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  std::vector<std::pair<std::string, Tensor>> order;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata) throw UsageError("a tensor cannot be named __metadata__ in a safetensors file");
    order.emplace_back(name, tensor.detach().to(at::kCPU).contiguous());
  }
  // Wide elements first: every tensor then lies at a multiple of its element size, for readers that map.
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (metadata.contains(kSeal)) throw UsageError(fmt::format("\"{}\" is not to be given: it is computed", kSeal));
  header[kMetadata] = metadata;
  std::size_t end = 0;
  for (const auto& [name, tensor] : order) {
    const std::size_t begin = end;
    end += tensor.nbytes();
    header[name] = {{"dtype", dtype_name(name, tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {begin, end}}};
  }
  std::string data;
  data.reserve(end);
  for (const auto& [name, tensor] : order)
    data.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  std::string text;
  try {
    json content = header;
    if (metadata.empty()) content.erase(kMetadata);
    (void)content.dump();
    header[kMetadata][kSeal] = seal_of(content, data);
    text = header.dump();
  } catch (const json::exception&) {
    throw UsageError("a tensor name or metadata entry is not valid UTF-8");
  }
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes.reserve(kLengthBytes + length + end);
  bytes += text;
  bytes += data;
  return bytes;
}

Safetensors read_safetensors_file(const std::string& path, const std::string& sha256, FileSystem& files) {
  const std::string bytes = read_file(path, files);
  if (!sha256.empty()) {
    const std::string found = stride::sha256(bytes);
    if (found != sha256) {
      throw InputError(
          fmt::format("{} is not the file that was named: its SHA-256 is {}, expected {}", path, found, sha256));
    }
  }
  return parse_safetensors(bytes, path);
}

std::map<std::string, Tensor> read_safetensors(const std::string& path, const std::string& sha256, FileSystem& files) {
  return read_safetensors_file(path, sha256, files).tensors;
}

void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, FileSystem& files) {
  write_file_atomic(path, format_safetensors(tensors, metadata), files);
}

}  // namespace stride
