option(STRIDE_BUILD_TESTS "Build the test programs" ON)
option(STRIDE_WERROR "Treat warnings as errors" ON)
option(STRIDE_BUILD_PYTHON "Build the Python module (needs the headers of Python3_EXECUTABLE)" OFF)
set(STRIDE_SANITIZERS "" CACHE STRING "Sanitizers to build with, for example address;undefined")

# GPU code for Turing, Ampere and Ada, Hopper; later ones compile the PTX at first use. Kept in the cache,
# because torch would look for a GPU on the building machine (and take eleven architectures where it finds
# none) each time that CMake runs without it.
set(stride_architectures "7.5 8.0 9.0+PTX")
if(DEFINED ENV{TORCH_CUDA_ARCH_LIST})
  set(stride_architectures "$ENV{TORCH_CUDA_ARCH_LIST}")
endif()
set(TORCH_CUDA_ARCH_LIST "${stride_architectures}" CACHE STRING "CUDA architectures, in torch's notation")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CUDA_STANDARD 17) # CMake 3.25 refuses 20 for CUDA
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared) # the one that torch brings, not a second copy
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# Line tables are what a stack trace needs; full debug info doubles the build's time and size. Assertions
# stay on.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CUDA_FLAGS_RELWITHDEBINFO "-O2")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1")
set(CMAKE_CUDA_FLAGS_SANITIZE "-O1")

find_program(STRIDE_CCACHE ccache)
if(STRIDE_CCACHE)
  # Precompiled headers need the sloppiness to be cached at all; the base folder lets clones share entries.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
               CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${STRIDE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

find_program(STRIDE_LLD ld.lld)
if(STRIDE_LLD)
  add_link_options(-fuse-ld=lld)
endif()
