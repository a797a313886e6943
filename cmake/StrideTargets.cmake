# Flags of our own code only. g++ 12 takes the destructor of an empty std::optional<Tensor> for a use of it
# (GCC bug 80635); g++ 13 takes a reference for one into the text that the function was given beside it.
add_library(stride_flags INTERFACE)
target_compile_options(stride_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wno-psabi -Wno-maybe-uninitialized -ffp-contract=off>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-dangling-reference>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${STRIDE_WERROR}>>:-Werror>)
if(STRIDE_SANITIZERS)
  string(REPLACE ";" "," sanitizers "${STRIDE_SANITIZERS}")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${sanitizers}>
                      "$<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  add_link_options(-fsanitize=${sanitizers})
endif()

# CMake puts Ceres and its BLAS before torch when it sorts static libraries, wherever torch is named; an option
# stands before all of them. Without it torch's matrix products go to that BLAS (tests/hygiene/link_order.cpp).
# libstdc++ stands before both: libtorch exports a std::filesystem of its own, whose remove_all crashes.
set(STRIDE_TORCH_FIRST -Wl,--no-as-needed -lstdc++ $<TARGET_FILE:torch_cpu>)

# stride_library(NAME folder-target links...): one library for a folder and its sub-folders, sources by listing.
function(stride_library name)
  cmake_parse_arguments(arg "" "PCH;PCH_FROM" "PUBLIC;PRIVATE;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cpp
       ${CMAKE_CURRENT_SOURCE_DIR}/*.cu ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cu)
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${excluded})
  endforeach()
  # Headers alone, which no user of the library sees: none has to find them.
  list(TRANSFORM arg_PRIVATE REPLACE "^nlohmann_json::nlohmann_json$" "$<BUILD_INTERFACE:nlohmann_json::nlohmann_json>")
  add_library(stride_${name} STATIC ${sources})
  add_library(Stride::${name} ALIAS stride_${name})
  set_target_properties(stride_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(stride_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    # <stride/folder/file.h> for others, "folder/file.h" for Stride's own headers.
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/stride>)
  target_link_options(stride_${name} INTERFACE ${STRIDE_TORCH_FIRST})
  target_link_libraries(stride_${name} PUBLIC ${TORCH_LIBRARIES} ${arg_PUBLIC}
                        PRIVATE $<BUILD_INTERFACE:stride_flags> ${arg_PRIVATE})
  stride_precompile(stride_${name} "${arg_PCH}" "${arg_PCH_FROM}")
endfunction()

function(stride_precompile target header from)
  if(from)
    target_precompile_headers(${target} REUSE_FROM ${from})
  elseif(header)
    target_precompile_headers(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${header}>)
  endif()
endfunction()
