// Several channels at a time: what the kernels on channels-last images share.
#pragma once

#include "framework/tensor.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <type_traits>

namespace stride::cuda {

constexpr int kThreads = 256;

template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T at[V];
};

template <typename T, int V>
__device__ __forceinline__ Pack<T, V> load(const T* from) {
  return *reinterpret_cast<const Pack<T, V>*>(from);
}

// Calls f(T(), integral_constant<V>) with the dtype and the widest pack that divides `width`.
template <typename T, typename F>
void by_width(int64_t width, const F& f) {
  constexpr int most = 16 / sizeof(T);
  if (most == 8 && width % 8 == 0) return f(T(), std::integral_constant<int, most>());
  if (width % 4 == 0) return f(T(), std::integral_constant<int, 4>());
  if (width % 2 == 0) return f(T(), std::integral_constant<int, 2>());
  return f(T(), std::integral_constant<int, 1>());
}

template <typename F>
void dispatch(at::ScalarType dtype, int64_t width, const F& f) {
  switch (dtype) {
    case at::kBFloat16:
      return by_width<c10::BFloat16>(width, f);
    case at::kHalf:
      return by_width<c10::Half>(width, f);
    default:
      return by_width<float>(width, f);
  }
}

inline const float* floats(const Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }

// A multiple of 32 that holds at least one whole row of packs.
inline int threads_for(int64_t chunks) {
  return static_cast<int>(std::max<int64_t>(kThreads, (chunks + 31) / 32 * 32));
}

}  // namespace stride::cuda
