#include "datasets/files/npy.h"

#include "framework/error.h"
#include "framework/files/limits.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <map>

namespace stride {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kLargestArray = std::size_t{1} << 46;

// The header's text: a Python dictionary of three known keys.
class HeaderText final {
 public:
  HeaderText(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  void read(NpyHeader& out) {
    bool has_type = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !has_type) {
        out.type = type(quoted());
        has_type = true;
      } else if (key == "fortran_order" && !has_order) {
        out.fortran_order = truth();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        out.shape = extents();
        has_shape = true;
      } else {
        fail(fmt::format("the key '{}' is unknown or there twice", key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    space();
    if (at_ != text_.size()) fail("there is something behind the dictionary");
    if (!has_type || !has_order || !has_shape) fail("it lacks one of descr, fortran_order and shape");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: the array's header is not NumPy's: {}", where_, what));
  }

 private:
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}' is missing at position {}", c, at_));
  }
  std::string_view quoted() {
    space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail(fmt::format("a quoted word is missing at position {}", at_));
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a quoted word does not end");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }
  bool truth() {
    space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("fortran_order is neither True nor False");
  }
  std::vector<int64_t> extents() {
    std::vector<int64_t> out;
    expect('(');
    bool comma = true;
    while (!accept(')')) {
      if (!comma) fail("the shape is no tuple");
      out.push_back(extent());
      comma = accept(',');
      if (out.size() > kMaxRank) fail("the shape has too many extents");
    }
    // (3) is a number in Python, (3,) a tuple.
    if (out.size() == 1 && !comma) fail("the shape is no tuple");
    return out;
  }
  int64_t extent() {
    space();
    const std::size_t begin = at_;
    int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (at_ - begin > 15) fail("an extent of the shape is too large");
      value = 10 * value + (text_[at_] - '0');
    }
    if (at_ == begin) fail("an extent of the shape is no whole number");
    return value;
  }
  at::ScalarType type(std::string_view name) const {
    static const std::map<std::string_view, at::ScalarType> kTypes = {
        {"<f8", at::kDouble}, {"<f4", at::kFloat}, {"<f2", at::kHalf}, {"<i8", at::kLong}, {"<i4", at::kInt},
        {"<i2", at::kShort},  {"|i1", at::kChar},  {"|u1", at::kByte}, {"|b1", at::kBool}};
    const auto found = kTypes.find(name);
    if (found == kTypes.end()) {
      throw InputError(fmt::format(
          "{}: an array of type '{}' is not read; save it as little-endian float64, float32, float16, signed "
          "integers, uint8 or bool",
          where_, name));
    }
    return found->second;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view bytes, const std::string& where) {
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<uint8_t>(bytes[i])); };
  if (bytes.size() < 10 || bytes.substr(0, 6) != kMagic)
    throw InputError(fmt::format("{}: does not begin as NumPy's arrays do", where));
  const std::size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0)
    throw InputError(fmt::format("{}: an array format of version {}.{}, which is not known", where, major, byte(7)));
  const std::size_t prefix = major == 1 ? 10 : 12;
  if (bytes.size() < prefix) throw InputError(fmt::format("{}: ends inside the array's header", where));
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kLargestNpyHeader - prefix)
    throw InputError(fmt::format("{}: the array's header says it is {} bytes long, more than any is", where, length));
  if (bytes.size() < prefix + length) throw InputError(fmt::format("{}: ends inside the array's header", where));
  NpyHeader out;
  HeaderText text(bytes.substr(prefix, length), where);
  text.read(out);
  out.size = prefix + length;
  std::size_t total = c10::elementSize(out.type);
  bool empty = false;
  for (const int64_t extent : out.shape) {
    empty = empty || extent == 0;
    if (extent != 0 && total > kLargestArray / static_cast<std::size_t>(extent)) text.fail("the array is too large");
    total *= static_cast<std::size_t>(std::max<int64_t>(extent, 1));
  }
  out.data_bytes = empty ? 0 : total;
  return out;
}

Tensor parse_npy(std::string_view bytes, const std::string& where) {
  const NpyHeader header = parse_npy_header(bytes, where);
  if (bytes.size() - header.size != header.data_bytes) {
    throw InputError(fmt::format("{}: holds {} bytes of values, but its header promises {}: damaged or cut short",
                                 where, bytes.size() - header.size, header.data_bytes));
  }
  Tensor out = npy_array(header);
  if (header.data_bytes > 0) std::memcpy(out.mutable_data_ptr(), bytes.data() + header.size, header.data_bytes);
  return npy_ordered(std::move(out), header, where);
}

Tensor npy_array(const NpyHeader& header) {
  std::vector<int64_t> shape = header.shape;
  if (header.fortran_order) shape = {shape.rbegin(), shape.rend()};
  return at::empty(shape, at::TensorOptions().dtype(header.type));
}

Tensor npy_ordered(Tensor out, const NpyHeader& header, const std::string& where) {
  // Any other byte is no bool: reading it as one is undefined.
  if (header.type == at::kBool && header.data_bytes > 0) {
    const std::string_view bytes(static_cast<const char*>(out.const_data_ptr()), header.data_bytes);
    if (bytes.find_first_not_of(std::string_view("\0\1", 2)) != std::string_view::npos)
      throw InputError(fmt::format("{}: holds a truth value that is neither 0 nor 1", where));
  }
  if (!header.fortran_order) return out;
  std::vector<int64_t> order(header.shape.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  return out.permute(order).contiguous();
}

}  // namespace stride
