# Installs the build tree into a fresh prefix, and builds and runs projects against that alone.
file(REMOVE_RECURSE ${WORK}/prefix ${WORK}/elsewhere ${WORK}/solvers ${WORK}/stride ${WORK}/refused)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

# Outside of the build environment: no variable of it is set, and no compiler of it is on the path.
foreach(variable CUDACXX CUDAToolkit_ROOT CUDA_TOOLKIT_ROOT_DIR TORCH_CUDA_ARCH_LIST CMAKE_PREFIX_PATH)
  unset(ENV{${variable}})
endforeach()
set(ENV{PATH} "/usr/local/bin:/usr/bin:/bin")
set(configure ${CMAKE_COMMAND} -S ${CONSUMER} -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo)

# consumer(COMPONENT SOURCE options...): configured, built and run.
function(consumer component source)
  set(folder ${WORK}/${component})
  execute_process(COMMAND ${configure} -B ${folder} -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCOMPONENT=${component}
                          -DSOURCE=${source} ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${folder} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${folder}/consumer WORKING_DIRECTORY ${folder} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# refused(WORDS options...): configuring fails, and the message of Stride's package has the words.
function(refused words)
  file(REMOVE_RECURSE ${WORK}/refused)
  execute_process(COMMAND ${configure} -B ${WORK}/refused -DSOURCE=midpoint.cpp ${ARGN} RESULT_VARIABLE result
                  OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  string(FIND "${said}" "${words}" found)
  if(result EQUAL 0 OR found EQUAL -1)
    message(FATAL_ERROR "expected a refusal with '${words}', got ${result}: ${said}")
  endif()
  message(STATUS "refused as it should: ${words}")
endfunction()

set(hidden "")
foreach(package Ceres HDF5 Boost PNG nlohmann_json)
  list(APPEND hidden -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
consumer(solvers midpoint.cpp ${hidden})
consumer(stride ${EXAMPLES}/own_solver.cpp)

refused("needs Ceres (Debian: libceres-dev)" -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCOMPONENT=stride ${hidden})
refused("PNG" -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCOMPONENT=datasets ${hidden})
refused("there is no component solver:" -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCOMPONENT=solver)
# On a machine that does not have the folders of the build.
file(COPY ${WORK}/prefix/ DESTINATION ${WORK}/elsewhere)
file(GLOB_RECURSE config ${WORK}/elsewhere/*/StrideConfig.cmake)
file(READ ${config} text)
string(REPLACE "${CUDA_ROOT}" "/nowhere/cuda" text "${text}")
string(REPLACE "${TORCH}" "/nowhere/torch" text "${text}")
file(WRITE ${config} "${text}")
if(NOT EXISTS /usr/bin/nvcc)
  refused("no CUDA toolkit (nvcc) was found" "-DCMAKE_PREFIX_PATH=${WORK}/elsewhere\\;${TORCH}" -DCOMPONENT=solvers
          "-DCMAKE_IGNORE_PATH=/usr/local/bin\\;/usr/local/cuda/bin")
endif()
refused("torch was not found" -DCMAKE_PREFIX_PATH=${WORK}/elsewhere -DCUDAToolkit_ROOT=${CUDA_ROOT} -DCOMPONENT=solvers)
refused("Add <site-packages>/torch to CMAKE_PREFIX_PATH" -DCMAKE_PREFIX_PATH=${WORK}/elsewhere -DCUDAToolkit_ROOT=${CUDA_ROOT} -DCOMPONENT=solvers)
