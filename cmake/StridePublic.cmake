# Stride::stride: the library as others see it, #include <stride/FOLDER/FILE.h> and <stride/stride.h>. In the build tree
# that is a folder of links, so that a header is found under the same name there and where Stride is installed.
set(STRIDE_FOLDERS framework solvers adaptive datasets neural pipeline evaluation apps)
set(stride_include ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${stride_include}/stride)
foreach(folder IN LISTS STRIDE_FOLDERS)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${stride_include}/stride/${folder} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/evaluation/stride.h ${stride_include}/stride/stride.h SYMBOLIC)

add_library(stride_stride INTERFACE)
add_library(Stride::stride ALIAS stride_stride)
set_target_properties(stride_stride PROPERTIES EXPORT_NAME stride)
target_include_directories(stride_stride INTERFACE $<BUILD_INTERFACE:${stride_include}>)
target_link_libraries(stride_stride INTERFACE stride_evaluation)
target_compile_features(stride_stride INTERFACE cxx_std_20)
