// Every tile that was tried of the kernel behind FusedUNet, callable from Python: bench/fused_conv.py.
#include "neural/networks/fused_conv.cuh"

// index, BX, BY, BN, WGM, WK, IST, ST, RST, NP: Shape in neural/networks/fused_conv.cuh
#define CASES(F)                     \
  F(0, 2, 2, 96, 2, 1, 2, 8, 3, 1)   \
  F(1, 2, 1, 96, 2, 1, 2, 6, 3, 1)   \
  F(2, 2, 1, 160, 2, 1, 3, 8, 3, 1)  \
  F(3, 1, 1, 160, 1, 1, 3, 5, 3, 1)  \
  F(4, 1, 1, 80, 1, 1, 4, 8, 4, 1)   \
  F(5, 2, 1, 96, 2, 1, 4, 6, 3, 2)   \
  F(6, 1, 1, 32, 1, 3, 4, 8, 3, 2)   \
  F(7, 1, 1, 16, 1, 3, 4, 10, 3, 2)  \
  F(8, 1, 1, 48, 1, 3, 4, 6, 3, 2)   \
  F(9, 1, 1, 96, 1, 1, 3, 4, 3, 1)   \
  F(10, 1, 1, 32, 1, 3, 4, 8, 6, 1)  \
  F(11, 1, 1, 16, 1, 3, 4, 10, 6, 1) \
  F(12, 1, 1, 80, 1, 2, 4, 5, 3, 2)  \
  F(13, 2, 1, 80, 2, 1, 4, 6, 3, 2)  \
  F(14, 1, 1, 160, 1, 1, 4, 6, 3, 2) \
  F(15, 1, 1, 16, 1, 2, 4, 10, 4, 2)

// Height, width and outputs of the tile of a case; 0: there are no more.
extern "C" int conv_shape(int which, int* shape) {
  switch (which) {
#define F(i, BX, BY, BN, WGM, WK, IST, ST, RST, NP) \
  case i:                                           \
    shape[0] = 8 * BY;                              \
    shape[1] = 8 * BX;                              \
    shape[2] = BN;                                  \
    return 1;
    CASES(F)
#undef F
  }
  return 0;
}

template <typename T>
int run(int which, const stride::cuda::ConvArgs& args, int batch, void* stream) {
  switch (which) {
#define F(i, BX, BY, BN, WGM, WK, IST, ST, RST, NP)                                         \
  case i:                                                                                   \
    return stride::cuda::launch_conv<T, BX, BY, BN, WGM, WK, IST, ST, RST, NP>(args, batch, \
                                                                               static_cast<cudaStream_t>(stream));
    CASES(F)
#undef F
  }
  return -1;
}

extern "C" int conv(int tf32, int which, void** given, const int* numbers, float factor, int batch, void* stream) {
  stride::cuda::ConvArgs args;
  args.in[0] = {given[0], numbers[0], numbers[1]};
  args.in[1] = {given[1], numbers[2], numbers[3]};
  args.sums[0] = static_cast<const float*>(given[2]);
  args.sums[1] = static_cast<const float*>(given[3]);
  args.parts[0] = numbers[4];
  args.parts[1] = numbers[5];
  args.gamma = static_cast<const float*>(given[4]);
  args.beta = static_cast<const float*>(given[5]);
  args.scale_shift = given[6];
  args.scale_shift_stride = numbers[6];
  args.norm = numbers[7];
  args.silu = numbers[8];
  args.groups = numbers[9];
  args.eps = 1e-5f;
  args.skip[0] = {given[7], numbers[10], numbers[11]};
  args.skip[1] = {given[8], numbers[12], numbers[13]};
  args.weight = given[9];
  args.bias = static_cast<const float*>(given[10]);
  args.residual = given[11];
  args.factor = factor;
  args.out = given[12];
  args.out_sums = static_cast<float*>(given[13]);
  args.H = numbers[14];
  args.W = numbers[15];
  args.N = numbers[16];
  return tf32 ? run<float>(which, args, batch, stream) : run<__nv_bfloat16>(which, args, batch, stream);
}
