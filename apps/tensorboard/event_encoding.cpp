#include "apps/tensorboard/event_encoding.h"

#include <array>
#include <bit>

namespace stride {
namespace {

constexpr unsigned kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;

// x³² + x²⁸ + … + 1 with its bits reversed.
constexpr uint32_t kCastagnoli = 0x82f63b78;

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCastagnoli : 0);
    table[byte] = crc;
  }
  return table;
}

// Little-endian whatever the machine is.
template <typename Unsigned>
void append_fixed(std::string& bytes, Unsigned value) {
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
}

}  // namespace

void ProtoMessage::key(unsigned field, unsigned wire_type) { varint(field << 3 | wire_type); }

void ProtoMessage::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
  bytes_ += static_cast<char>(value);
}

ProtoMessage& ProtoMessage::integer(unsigned field, int64_t value) {
  key(field, kVarint);
  varint(static_cast<uint64_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::number(unsigned field, double value) {
  key(field, kFixed64);
  append_fixed(bytes_, std::bit_cast<uint64_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::single(unsigned field, float value) {
  key(field, kFixed32);
  append_fixed(bytes_, std::bit_cast<uint32_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::text(unsigned field, std::string_view value) {
  key(field, kLengthDelimited);
  varint(value.size());
  bytes_ += value;
  return *this;
}

ProtoMessage& ProtoMessage::numbers(unsigned field, const std::vector<double>& values) {
  std::string packed;
  packed.reserve(values.size() * sizeof(double));
  for (const double value : values) append_fixed(packed, std::bit_cast<uint64_t>(value));
  return text(field, packed);
}

uint32_t crc32c(std::string_view bytes) noexcept {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) noexcept { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

std::string framed_record(std::string_view bytes) {
  std::string record;
  record.reserve(bytes.size() + 16);
  append_fixed(record, static_cast<uint64_t>(bytes.size()));
  append_fixed(record, masked_crc32c(record));
  record += bytes;
  append_fixed(record, masked_crc32c(bytes));
  return record;
}

}  // namespace stride
