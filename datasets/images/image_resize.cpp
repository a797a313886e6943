// Pillow's Resample.c for 8-bit channels: weights in double, rounded to 22 bits, a pass along the rows, one along the
// columns, each rounded to 8 bits. Following its arithmetic is what makes sets equal those of EDM's dataset_tool.
#include "datasets/images/pixels.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {
namespace {

constexpr int kPrecision = 32 - 8 - 2;
constexpr double kSupport = 3.0;

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -kSupport <= x && x < kSupport ? sinc(x) * sinc(x / kSupport) : 0.0; }

/// For each place of the output: the first place of the input that counts, and the weights from there on.
struct Window {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

std::vector<Window> windows(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = kSupport * stretch;
  std::vector<Window> out(static_cast<std::size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(static_cast<int64_t>(std::floor(centre - support + 0.5)), 0);
    const auto end = std::min<int64_t>(static_cast<int64_t>(std::floor(centre + support + 0.5)), from);
    std::vector<double> weights;
    double sum = 0.0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(lanczos((static_cast<double>(x) - centre + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    Window& window = out[static_cast<std::size_t>(i)];
    window.first = first;
    for (const double weight : weights) {
      const double fixed = (sum != 0.0 ? weight / sum : weight) * (1 << kPrecision);
      window.weights.push_back(static_cast<int32_t>(fixed < 0.0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return out;
}

uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

Pixels along_rows(const Pixels& in, int64_t width) {
  Pixels out(in.height, width, in.channels);
  const std::vector<Window> all = windows(in.width, width);
  uint8_t* to = out.values.data();
  for (int64_t y = 0; y < in.height; ++y) {
    const uint8_t* row = in.values.data() + y * in.width * in.channels;
    for (const Window& window : all) {
      for (int64_t c = 0; c < in.channels; ++c) {
        int32_t sum = 1 << (kPrecision - 1);
        const uint8_t* at = row + window.first * in.channels + c;
        for (const int32_t weight : window.weights) {
          sum += *at * weight;
          at += in.channels;
        }
        *to++ = rounded(sum);
      }
    }
  }
  return out;
}

Pixels along_columns(const Pixels& in, int64_t height) {
  Pixels out(height, in.width, in.channels);
  const std::vector<Window> all = windows(in.height, height);
  const int64_t row = in.width * in.channels;
  std::vector<int32_t> sums(static_cast<std::size_t>(row));
  for (int64_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (kPrecision - 1));
    const Window& window = all[static_cast<std::size_t>(y)];
    const uint8_t* at = in.values.data() + window.first * row;
    for (const int32_t weight : window.weights) {
      for (int64_t x = 0; x < row; ++x) sums[static_cast<std::size_t>(x)] += at[x] * weight;
      at += row;
    }
    std::transform(sums.begin(), sums.end(), out.values.begin() + y * row, rounded);
  }
  return out;
}

}  // namespace

Pixels resized(const Pixels& pixels, int64_t size) {
  const auto rows = [&](const Pixels& in) { return in.width == size ? in : along_rows(in, size); };
  const auto columns = [&](const Pixels& in) { return in.height == size ? in : along_columns(in, size); };
  // The order matters where the first pass rounds and clips. Pillow 13's, found by trying; before, it was rows first.
  const bool columns_first = size < pixels.height && pixels.height + size > 2 * pixels.width;
  return columns_first ? rows(columns(pixels)) : columns(rows(pixels));
}

}  // namespace stride
