# Installs the build tree into a fresh prefix, builds the consumer against that alone, and runs it.
file(REMOVE_RECURSE ${WORK}/prefix ${WORK}/consumer)
macro(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endmacro()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
# In the environment: a list among a macro's arguments falls apart at its semicolon.
run(${CMAKE_COMMAND} -E env "CMAKE_PREFIX_PATH=${WORK}/prefix:${PREFIX_PATH}"
    ${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/consumer -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCUDAToolkit_ROOT=${CUDA_ROOT}
    -DCUDA_TOOLKIT_ROOT_DIR=${CUDA_ROOT} -DCMAKE_CUDA_COMPILER=${NVCC} "-DTORCH_CUDA_ARCH_LIST=${ARCHITECTURES}")
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/consumer)
