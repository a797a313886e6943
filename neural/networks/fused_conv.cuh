// The kernel behind fused_conv (neural/networks/fused_conv.h), for compute capability 9.0a.
//
// A tile is BX × BY blocks of 8 × 8 pixels. In shared memory pixels lie as [piece of 16 bytes of channels][pixel of the
// halo][channels of the piece: 8 of 16 bits, 4 of float32], which is wgmma's layout without a swizzle: 8 pixels of a
// row are a core matrix, rows of the halo are its stride, and a tap of the kernel is an offset of the descriptor:
// nothing is unfolded. One or two warpgroups copy raw pixels several chunks of channels ahead and normalise them, one
// warp copies weights, the others multiply. Weights are not waited for by a kernel that starts while the one before
// still ends (programmatic dependent launch).
#pragma once

#include "neural/networks/fused_conv.h"
#include "neural/networks/narrow.cuh"
#include "neural/networks/wgmma.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace stride::cuda {

constexpr int OCT = 4;  // pieces of 16 bytes of a chunk of channels

// Of an element type: channels of such a piece and of a chunk, and how the pieces are read and written.
template <typename T>
struct Narrow;
// 16 bits: what is stored is what matrix products take.
template <typename T, typename Two>
struct Narrow16 {
  static constexpr int VEC = 8, CK = OCT * VEC;
  static __device__ __forceinline__ void read(const uint4& value, float (&f)[8]) {
    const Two* two = reinterpret_cast<const Two*>(&value);
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      const float2 g = as_floats(two[q]);
      f[2 * q] = g.x;
      f[2 * q + 1] = g.y;
    }
  }
  static __device__ __forceinline__ uint4 rounded(const float (&f)[8]) {
    uint4 value;
    Two* two = reinterpret_cast<Two*>(&value);
#pragma unroll
    for (int q = 0; q < 4; ++q) narrow(f[2 * q], f[2 * q + 1], two[q]);
    return value;
  }
  static __device__ __forceinline__ uint4 operand(const float (&f)[8]) { return rounded(f); }
  static __device__ __forceinline__ uint4 operand(const uint4& stored) { return stored; }
};
template <>
struct Narrow<__nv_bfloat16> : Narrow16<__nv_bfloat16, __nv_bfloat162> {};
template <>
struct Narrow<__half> : Narrow16<__half, __half2> {};
template <>
struct Narrow<float> {
  static constexpr int VEC = 4, CK = OCT * VEC;
  static __device__ __forceinline__ void read(const uint4& value, float (&f)[4]) {
    const float* from = reinterpret_cast<const float*>(&value);
#pragma unroll
    for (int q = 0; q < 4; ++q) f[q] = from[q];
  }
  static __device__ __forceinline__ uint4 rounded(const float (&f)[4]) {
    return make_uint4(__float_as_uint(f[0]), __float_as_uint(f[1]), __float_as_uint(f[2]), __float_as_uint(f[3]));
  }
  static __device__ __forceinline__ uint32_t tf32(float f) {
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(f));
    return bits;
  }
  static __device__ __forceinline__ uint4 operand(const float (&f)[4]) {
    return make_uint4(tf32(f[0]), tf32(f[1]), tf32(f[2]), tf32(f[3]));
  }
  static __device__ __forceinline__ uint4 operand(const uint4& stored) {
    float f[4];
    read(stored, f);
    return operand(f);
  }
};

__device__ __forceinline__ uint32_t smem_u32(const void* p) { return (uint32_t)__cvta_generic_to_shared(p); }
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int n>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(n) : "memory");
}
__device__ __forceinline__ uint64_t descriptor(uint32_t address, uint32_t lead, uint32_t stride) {
  return (uint64_t)((address & 0x3FFFF) >> 4) | (uint64_t)(lead >> 4) << 16 | (uint64_t)(stride >> 4) << 32;
}
__device__ __forceinline__ void bar_init(uint32_t bar, int count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(bar), "r"(count));
}
__device__ __forceinline__ void bar_arrive(uint32_t bar) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(bar) : "memory");
}
__device__ __forceinline__ void bar_expect(uint32_t bar, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes) : "memory");
}
__device__ __forceinline__ void bar_wait(uint32_t bar, uint32_t parity) {
  asm volatile(
      "{\n.reg .pred p;\nW: mbarrier.try_wait.parity.shared.b64 p, [%0], %1;\n@p bra D;\nbra W;\nD:\n}" ::"r"(bar),
      "r"(parity)
      : "memory");
}
__device__ __forceinline__ void bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(bar)
               : "memory");
}
__device__ __forceinline__ void fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
template <int NP>
__device__ __forceinline__ void producers_sync() {
  asm volatile("bar.sync 1, %0;" ::"n"(128 * NP) : "memory");
}

__device__ __forceinline__ float silu(float x) {
  const float h = 0.5f * x;
  float t;
  asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(h));
  return h * t + h;
}

// WGM warpgroups over the tile's blocks, MB blocks each; WK warpgroups over taps; NP that load. Rings of IST chunks of
// input, ST of weights, and RST of raw input for each warpgroup that loads.
template <int BX, int BY, int BN, int WGM, int WK, int IST, int ST, int RST, int NP>
struct Shape {
  static constexpr int MB = BX * BY / WGM;
  static constexpr int TW = 8 * BX, TH = 8 * BY, M = TW * TH;
  static constexpr int PW = TW + 2, PIXELS = (TH + 2) * PW;
  static constexpr int PLANE = PIXELS * 16 + 16;  // odd number of 16 bytes where PIXELS is even
  static constexpr int IN = (PLANE * OCT + 127) / 128 * 128;
  static constexpr int WTAP = OCT * 16 * BN, WSTAGE = WTAP * WK;
  static constexpr int VEC = (PIXELS * OCT + 127) / 128, RAW = VEC * 128 * 16;  // of one warpgroup and chunk
  static constexpr int PIPE = IST * IN + ST * WSTAGE + NP * RST * RAW;
  static constexpr int ROW = BN + 4, TILE = M * ROW * 4;
  static constexpr int BODY = ((PIPE > TILE ? PIPE : TILE) + 127) / 128 * 128;
  static constexpr int MAXC = kMostConvChannels;
  static constexpr int SHARED = BODY + 2 * MAXC * 4 + 2 * (MAXC / 4) * 4 + 8 * 2 * (IST + ST) + 128;
  static constexpr int CONSUMERS = WGM * WK, THREADS = NP * 128 + CONSUMERS * 128 + 32;
};

template <typename T, int BX, int BY, int BN, int WGM, int WK, int IST, int ST, int RST, int NP>
__global__ void __launch_bounds__(Shape<BX, BY, BN, WGM, WK, IST, ST, RST, NP>::THREADS, 1)
    conv_kernel(const __grid_constant__ ConvArgs p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  using S = Shape<BX, BY, BN, WGM, WK, IST, ST, RST, NP>;
  using Own = Narrow<T>;
  constexpr int CK = Own::CK, VEC = Own::VEC;
  extern __shared__ __align__(128) unsigned char shared[];
  unsigned char* in_s = shared;
  unsigned char* w_s = shared + IST * S::IN;
  float* scale_s = reinterpret_cast<float*>(shared + S::BODY);
  float* shift_s = scale_s + S::MAXC;
  float* block_s = shift_s + S::MAXC;
  const uint32_t bars = smem_u32(block_s + 2 * (S::MAXC / 4));
  const uint32_t in_full = bars, in_empty = bars + 8 * IST, w_full = bars + 16 * IST, w_empty = w_full + 8 * ST;
  const int tid = threadIdx.x, lane = tid & 31, group = tid >> 7;
  const int tiles_w = p.W / S::TW, tiles = p.H / S::TH * tiles_w;
  const int b = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int y0 = tile / tiles_w * S::TH, x0 = tile % tiles_w * S::TW;
  const int n0 = blockIdx.y * BN;
  const int C = p.in[0].channels + p.in[1].channels, chunks = C / CK;
  const int K = p.skip[0].channels + p.skip[1].channels, skip_chunks = K / CK, all = chunks + skip_chunks;
  const int TAPS = p.taps, STEPS = (TAPS + WK - 1) / WK;
  const int taps_in_all = chunks * TAPS + skip_chunks;

  if (tid == 0) {
    for (int i = 0; i < IST; ++i) {
      bar_init(in_full + 8 * i, 128);
      bar_init(in_empty + 8 * i, S::CONSUMERS * 4);
    }
    for (int i = 0; i < ST; ++i) {
      bar_init(w_full + 8 * i, 1);
      bar_init(w_empty + 8 * i, S::CONSUMERS * 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();

  constexpr int REGS = BN / 2;
  float acc[S::MB][REGS];

  if (group < NP) {
    // Producers: global -> a ring of raw chunks, of which each thread reads what it copied itself -> normalised ->
    // shared.
    const int t = tid & 127, v = t % OCT;
    unsigned char* raw_s = shared + IST * S::IN + ST * S::WSTAGE + group * RST * S::RAW + t * 16;
    int full[S::VEC], half[S::VEC];
    uint32_t inside = 0;
#pragma unroll
    for (int j = 0; j < S::VEC; ++j) {
      const int i = t + j * 128, pixel = i / OCT;
      const int y = y0 + pixel / S::PW - 1, x = x0 + pixel % S::PW - 1;
      const bool in = i < S::PIXELS * OCT && y >= 0 && y < p.H && x >= 0 && x < p.W;
      inside |= (uint32_t)in << j;
      full[j] = in ? y * p.W + x : 0;
      half[j] = in ? (y >> 1) * (p.W >> 1) + (x >> 1) : 0;
    }
    auto fetch = [&](int chunk) {
      if (chunk < all) {
        const bool raw = chunk >= chunks;
        int c = (raw ? chunk - chunks : chunk) * CK;
        ConvSource s = raw ? p.skip[0] : p.in[0];
        if (c >= s.channels) {
          c -= s.channels;
          s = raw ? p.skip[1] : p.in[1];
        }
        const T* base =
            static_cast<const T*>(s.data) + (size_t)b * (p.H >> s.half) * (p.W >> s.half) * s.channels + c + v * VEC;
        unsigned char* to = raw_s + chunk / NP % RST * S::RAW;
#pragma unroll
        for (int j = 0; j < S::VEC; ++j)
          asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem_u32(to + j * 2048)),
                       "l"(base + (size_t)(s.half ? half[j] : full[j]) * s.channels), "r"((inside >> j & 1) * 16)
                       : "memory");
      }
      asm volatile("cp.async.commit_group;" ::: "memory");
    };
    auto put = [&](int chunk, int buffer) {
      const bool raw = chunk >= chunks || !p.norm;
      const int c = chunk * CK + v * VEC;
      const unsigned char* from = raw_s + chunk / NP % RST * S::RAW;
      unsigned char* to = in_s + buffer * S::IN + v * S::PLANE + t / OCT * 16;
      if (raw) {
#pragma unroll
        for (int j = 0; j < S::VEC; ++j)
          if (t + j * 128 < S::PIXELS * OCT)
            *reinterpret_cast<uint4*>(to + j * 512) = Own::operand(*reinterpret_cast<const uint4*>(from + j * 2048));
        return;
      }
      float a[VEC], s[VEC];
#pragma unroll
      for (int q = 0; q < VEC; q += 4) {
        *reinterpret_cast<float4*>(a + q) = *reinterpret_cast<const float4*>(scale_s + c + q);
        *reinterpret_cast<float4*>(s + q) = *reinterpret_cast<const float4*>(shift_s + c + q);
      }
#pragma unroll
      for (int j = 0; j < S::VEC; ++j) {
        float f[VEC];
        Own::read(*reinterpret_cast<const uint4*>(from + j * 2048), f);
#pragma unroll
        for (int q = 0; q < VEC; ++q) {
          f[q] = f[q] * a[q] + s[q];
          if (p.silu) f[q] = silu(f[q]);
        }
        uint4 value = Own::operand(f);
        if (!(inside >> j & 1)) value = make_uint4(0, 0, 0, 0);
        if (t + j * 128 < S::PIXELS * OCT) *reinterpret_cast<uint4*>(to + j * 512) = value;
      }
    };
    cudaGridDependencySynchronize();
#pragma unroll
    for (int i = 0; i < RST - 1; ++i) fetch(group + i * NP);
    if (p.norm) {
      for (int q = tid; q < C / 4; q += 128 * NP) {
        const int first = p.in[0].channels / 4;
        const bool other = q >= first;
        const ConvSource s = other ? p.in[1] : p.in[0];
        const int local = other ? q - first : q, width = s.channels / 4, parts = other ? p.parts[1] : p.parts[0];
        const float2* from =
            reinterpret_cast<const float2*>(other ? p.sums[1] : p.sums[0]) + (size_t)b * parts * width + local;
        float sum = 0, squares = 0;
#pragma unroll 4
        for (int i = 0; i < parts; ++i) {
          const float2 f = __ldg(from + (size_t)i * width);
          sum += f.x;
          squares += f.y;
        }
        const float count = 4.0f * (p.H >> s.half) * (p.W >> s.half);
        block_s[2 * q] = sum / count;
        block_s[2 * q + 1] = squares / count;
      }
      producers_sync<NP>();
      const int width = C / p.groups, blocks = width / 4;
      for (int c = tid; c < C; c += 128 * NP) {
        const int first = c / width * blocks;
        float a = p.gamma[c], s = p.beta[c], scale = 1.0f, shift = 0.0f;
        if (p.scale_shift) {
          const T* f = static_cast<const T*>(p.scale_shift) + (size_t)b * p.scale_shift_stride;
          scale = 1.0f + as_float(f[c]);
          shift = as_float(f[C + c]);
        }
        float mean = 0, squares = 0;
        for (int q = 0; q < blocks; ++q) {
          mean += block_s[2 * (first + q)];
          squares += block_s[2 * (first + q) + 1];
        }
        mean /= blocks;
        squares /= blocks;
        const float rstd = rsqrtf(fmaxf(squares - mean * mean, 0.0f) + p.eps);
        a *= scale * rstd;
        scale_s[c] = a;
        shift_s[c] = s * scale + shift - mean * a;
      }
      producers_sync<NP>();
    }
    for (int chunk = group; chunk < all; chunk += NP) {
      const int buffer = chunk % IST, turn = chunk / IST;
      fetch(chunk + (RST - 1) * NP);
      asm volatile("cp.async.wait_group %0;" ::"n"(RST - 1) : "memory");
      if (turn > 0) bar_wait(in_empty + 8 * buffer, (turn - 1) & 1);
      put(chunk, buffer);
      fence_async();
      bar_arrive(in_full + 8 * buffer);
    }
  } else if (group == NP + S::CONSUMERS) {
    // Weights do not wait for the kernel before.
    if (lane == 0) {
      const T* from = static_cast<const T*>(p.weight) + (size_t)blockIdx.y * taps_in_all * CK * BN;
      int stage = 0, first = 0;
      for (int chunk = 0; chunk < all; ++chunk) {
        const int taps = chunk < chunks ? TAPS : 1;
        for (int tap = 0; tap < taps; tap += WK, ++stage) {
          const int slot = stage % ST, turn = stage / ST, many = min(WK, taps - tap);
          if (turn > 0) bar_wait(w_empty + 8 * slot, (turn - 1) & 1);
          bar_expect(w_full + 8 * slot, many * S::WTAP);
          bulk(smem_u32(w_s + slot * S::WSTAGE), from + (size_t)first * CK * BN, many * S::WTAP, w_full + 8 * slot);
          first += many;
        }
      }
    }
  } else {
    const int consumer = group - NP, wk = consumer / WGM, wg = consumer % WGM;
#pragma unroll
    for (int i = 0; i < S::MB; ++i)
#pragma unroll
      for (int q = 0; q < REGS; ++q) acc[i][q] = 0.0f;
    uint32_t a_base[S::MB];
#pragma unroll
    for (int i = 0; i < S::MB; ++i) {
      const int block = wg * S::MB + i;
      a_base[i] = smem_u32(in_s) + (block / BX * 8 * S::PW + block % BX * 8) * 16;
    }
    const uint32_t b_base = smem_u32(w_s) + wk * S::WTAP;
    int stage = 0;
    int last = -1;  // slot whose products may still be under way
    for (int chunk = 0; chunk < all; ++chunk) {
      const int buffer = chunk % IST;
      bar_wait(in_full + 8 * buffer, chunk / IST & 1);
      const int steps = chunk < chunks ? STEPS : 1;
      for (int step = 0; step < steps; ++step, ++stage) {
        const int slot = stage % ST;
        const int tap = chunk < chunks ? step * WK + wk : 0;
        const bool works = tap < (chunk < chunks ? TAPS : 1) && (chunk < chunks || wk == 0);
        if (works) {
          bar_wait(w_full + 8 * slot, stage / ST & 1);
          const int at = chunk < chunks && TAPS == 9 ? tap : 4;  // a 1 × 1 kernel sees the middle
          const uint32_t shift = buffer * S::IN + (at / 3 * S::PW + at % 3) * 16;
          wgmma_fence();
#pragma unroll
          for (int kk = 0; kk < OCT / 2; ++kk) {
            const uint64_t wd = descriptor(b_base + slot * S::WSTAGE + kk * 2 * BN * 16, BN * 16, 128);
#pragma unroll
            for (int i = 0; i < S::MB; ++i)
              wgmma<T, BN>(acc[i], descriptor(a_base[i] + shift + kk * 2 * S::PLANE, S::PLANE, S::PW * 16), wd);
          }
          wgmma_commit();
          wgmma_wait<1>();
        } else {
          wgmma_wait<0>();
        }
        if (last >= 0 && lane == 0) bar_arrive(w_empty + 8 * last);
        last = slot;
        if (step == 0 && chunk > 0 && lane == 0) bar_arrive(in_empty + 8 * ((chunk - 1) % IST));
      }
    }
    wgmma_wait<0>();
  }
  cudaTriggerProgrammaticLaunchCompletion();
  __syncthreads();
  float* tile_s = reinterpret_cast<float*>(shared);
  constexpr int ROW = S::ROW;
  const bool consumes = group >= NP && group < NP + S::CONSUMERS;
#pragma unroll
  for (int turn = 0; turn < WK; ++turn) {
    if (consumes && (group - NP) / WGM == turn) {
      const int wg = (group - NP) % WGM, warp = (tid >> 5) & 3;
#pragma unroll
      for (int i = 0; i < S::MB; ++i)
#pragma unroll
        for (int j = 0; j < BN / 8; ++j)
#pragma unroll
          for (int q = 0; q < 2; ++q) {
            const int m = (wg * S::MB + i) * 64 + warp * 16 + (lane >> 2) + q * 8, n = j * 8 + (lane & 3) * 2;
            float2* at = reinterpret_cast<float2*>(tile_s + m * ROW + n);
            float2 f = make_float2(acc[i][j * 4 + 2 * q], acc[i][j * 4 + 2 * q + 1]);
            if (turn > 0) {
              f.x += at->x;
              f.y += at->y;
            }
            *at = f;
          }
    }
    __syncthreads();
  }
  constexpr int COLS = BN / 8, ROWS = S::THREADS / COLS;
  const int col = tid % COLS, row = tid / COLS;
  float sum[2] = {0, 0}, squares[2] = {0, 0};
  if (row < ROWS) {
    float bias[8];
#pragma unroll
    for (int q = 0; q < 8; ++q) bias[q] = p.bias[n0 + col * 8 + q];
    for (int m = row; m < S::M; m += ROWS) {
      const int block = m / 64, y = block / BX * 8 + m % 64 / 8, x = block % BX * 8 + m % 8;
      const size_t at = (((size_t)b * p.H + y0 + y) * p.W + x0 + x) * p.N + n0 + col * 8;
      float f[8];
      *reinterpret_cast<float4*>(f) = *reinterpret_cast<const float4*>(tile_s + m * ROW + col * 8);
      *reinterpret_cast<float4*>(f + 4) = *reinterpret_cast<const float4*>(tile_s + m * ROW + col * 8 + 4);
#pragma unroll
      for (int half = 0; half < 8; half += VEC) {
        float r[VEC] = {}, g[VEC];
        if (p.residual)
          Own::read(__ldg(reinterpret_cast<const uint4*>(static_cast<const T*>(p.residual) + at + half)), r);
#pragma unroll
        for (int q = 0; q < VEC; ++q) g[q] = (f[half + q] + bias[half + q] + r[q]) * p.factor;
        const uint4 value = Own::rounded(g);
        Own::read(value, g);
#pragma unroll
        for (int q = 0; q < VEC; q += 2) {
          sum[(half + q) / 4] += g[q] + g[q + 1];
          squares[(half + q) / 4] += g[q] * g[q] + g[q + 1] * g[q + 1];
        }
        *reinterpret_cast<uint4*>(static_cast<T*>(p.out) + at + half) = value;
      }
    }
  }
  if (p.out_sums) {
    __syncthreads();
    float* part = tile_s;
    if (row < ROWS)
#pragma unroll
      for (int q = 0; q < 2; ++q) {
        part[(row * (BN / 4) + col * 2 + q) * 2] = sum[q];
        part[(row * (BN / 4) + col * 2 + q) * 2 + 1] = squares[q];
      }
    __syncthreads();
    for (int i = tid; i < BN / 4 * 2; i += S::THREADS) {
      float total = 0;
      const int rows = ROWS < S::M ? ROWS : S::M;
      for (int r = 0; r < rows; ++r) total += part[r * (BN / 4) * 2 + i];
      p.out_sums[((size_t)b * tiles + tile) * (p.N / 4) * 2 + n0 / 4 * 2 + i] = total;
    }
  }
#endif
}

/// Launches the kernel for B images; 0 or a CUDA error.
template <typename T, int BX, int BY, int BN, int WGM, int WK, int IST, int ST, int RST, int NP>
int launch_conv(const ConvArgs& args, int64_t batch, cudaStream_t stream) {
  using S = Shape<BX, BY, BN, WGM, WK, IST, ST, RST, NP>;
  const auto kernel = conv_kernel<T, BX, BY, BN, WGM, WK, IST, ST, RST, NP>;
  static const cudaError_t allowed =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, S::SHARED);
  if (allowed != cudaSuccess) return static_cast<int>(allowed);
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(batch * (args.H / S::TH) * (args.W / S::TW)), args.N / BN);
  config.blockDim = dim3(S::THREADS);
  config.dynamicSmemBytes = S::SHARED;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = 1;
  return static_cast<int>(cudaLaunchKernelEx(&config, kernel, args));
}

}  // namespace stride::cuda
