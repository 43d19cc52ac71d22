/* Copyright 2026 The upsnet_ros authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * A CUDA driver that notes what a launch says. Compiled with NVIDIA's own header, so each function
 * is declared as in libcuda.so.1: a caller through ctypes is held to those types.
 */
#include <cuda.h>
#include <string.h>

#define POINTERS_BEFORE 4
#define SCALARS 17

struct {
  unsigned int sizes[7];
  CUfunction function;
  CUstream stream;
  unsigned long long pointers[POINTERS_BEFORE + 1];
  int scalars[SCALARS];
  char text[64];
  int has_extra;
} seen;

CUresult CUDAAPI cuInit(unsigned int flags) {
  return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuGetErrorName(CUresult error, const char **name) {
  *name = error == CUDA_ERROR_INVALID_PTX ? "CUDA_ERROR_INVALID_PTX" : NULL;
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuDriverGetVersion(int *version) {
  *version = 13020;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count,
                                    CUjit_option *options, void **values) {
  strncpy(seen.text, image, sizeof(seen.text) - 1);
  if (strstr(image, ".entry") == NULL) {
    for (unsigned int i = 0; i < count; ++i)
      if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
        strcpy(values[i], "ptxas fatal : no entry");
      else if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES && (size_t)values[i] < 64)
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_ERROR_INVALID_PTX;
  }
  *module = (CUmodule)0x700000001000ULL;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  if (module != (CUmodule)0x700000001000ULL || strcmp(name, "deform_conv2d_kernel"))
    return CUDA_ERROR_NOT_FOUND;
  *function = (CUfunction)0x700000002000ULL;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleUnload(CUmodule module) {
  return module == (CUmodule)0x700000001000ULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                unsigned int block_z, unsigned int shared, CUstream stream,
                                void **parameters, void **extra) {
  unsigned int sizes[7] = {grid_x, grid_y, grid_z, block_x, block_y, block_z, shared};
  memcpy(seen.sizes, sizes, sizeof(sizes));
  seen.function = function;
  seen.stream = stream;
  seen.has_extra = extra != NULL;
  for (int i = 0; i < POINTERS_BEFORE; ++i)
    seen.pointers[i] = *(unsigned long long *)parameters[i];
  for (int i = 0; i < SCALARS; ++i) seen.scalars[i] = *(int *)parameters[POINTERS_BEFORE + i];
  seen.pointers[POINTERS_BEFORE] = *(unsigned long long *)parameters[POINTERS_BEFORE + SCALARS];
  return CUDA_SUCCESS;
}
