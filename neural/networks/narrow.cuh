// From 16 bits to float32 and back, by one name for both kinds.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace stride::cuda {

__device__ __forceinline__ float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float as_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float as_float(float x) { return x; }
__device__ __forceinline__ float2 as_floats(__nv_bfloat162 x) { return __bfloat1622float2(x); }
__device__ __forceinline__ float2 as_floats(__half2 x) { return __half22float2(x); }
__device__ __forceinline__ void narrow(float x, float y, __nv_bfloat162& to) { to = __floats2bfloat162_rn(x, y); }
__device__ __forceinline__ void narrow(float x, float y, __half2& to) { to = __floats2half2_rn(x, y); }

}  // namespace stride::cuda
