// The bytes of TensorBoard's event files: protocol buffers by hand, and the frame around each record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// A protocol buffers message, written field by field; the numbers are those of the .proto files. Every field that is
/// given is written, zeros too, so that members of a oneof are seen.
class ProtoMessage final {
 public:
  /// int32, int64, bool, enum; a negative number takes ten bytes, as the format has it.
  ProtoMessage& integer(unsigned field, int64_t value);
  ProtoMessage& number(unsigned field, double value);
  ProtoMessage& single(unsigned field, float value);
  /// bytes, or a string, which must be UTF-8.
  ProtoMessage& text(unsigned field, std::string_view value);
  ProtoMessage& message(unsigned field, const ProtoMessage& value) { return text(field, value.bytes_); }
  /// repeated double, packed.
  ProtoMessage& numbers(unsigned field, const std::vector<double>& values);

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  void key(unsigned field, unsigned wire_type);
  void varint(uint64_t value);

  std::string bytes_;
};

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
[[nodiscard]] uint32_t crc32c(std::string_view bytes) noexcept;
/// The checksum as the frames have it: rotated and shifted, so that it is no CRC of data that holds CRCs.
[[nodiscard]] uint32_t masked_crc32c(std::string_view bytes) noexcept;
/// One record of a TFRecord file: length, its checksum, the bytes, their checksum.
[[nodiscard]] std::string framed_record(std::string_view bytes);

}  // namespace stride
