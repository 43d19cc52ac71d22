/* Copyright 2026 The upsnet_ros authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * A CUDA driver for NVIDIA's own `cuda.bindings`, which notes what a launch says. Compiled with
 * NVIDIA's header, so each function is declared as in libcuda.so.1.
 */
#include <cuda.h>
#include <stdio.h>
#include <string.h>

#define MOST_PARAMETERS 512

struct {
  unsigned int sizes[7];
  CUfunction function;
  CUstream stream;
  char text[64];
  char entry[64];
  int parameters;
  int has_extra;
  unsigned long long values[MOST_PARAMETERS];
} seen;

CUresult CUDAAPI cuModuleLoadData(CUmodule *module, const void *image) {
  const char *text = image, *place = text;
  strncpy(seen.text, text, sizeof(seen.text) - 1);
  seen.parameters = 0;
  while ((place = strstr(place, ".param ."))) {
    ++seen.parameters;
    ++place;
  }
  place = strstr(text, ".entry");
  if (place == NULL || sscanf(place, ".entry %63[a-z_]", seen.entry) != 1)
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  *module = (CUmodule)0x700000001000ULL;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  if (module != (CUmodule)0x700000001000ULL || strcmp(name, seen.entry))
    return CUDA_ERROR_NOT_FOUND;
  *function = (CUfunction)0x700000002000ULL;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleUnload(CUmodule module) {
  return module == (CUmodule)0x700000001000ULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuGetErrorString(CUresult error, const char **text) {
  *text = "words of the driver";
  return CUDA_SUCCESS;
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
  for (int i = 0; i < seen.parameters; ++i)
    seen.values[i] = *(unsigned long long *)parameters[i];
  return CUDA_SUCCESS;
}

/* How the bindings find functions: by name, whatever version they ask for. */
CUresult CUDAAPI cuGetProcAddress_v2(const char *symbol, void **function, int version,
                                     cuuint64_t flags, CUdriverProcAddressQueryResult *status) {
  struct {
    const char *name;
    void *function;
  } known[] = {
      {"cuModuleLoadData", cuModuleLoadData},       {"cuModuleGetFunction", cuModuleGetFunction},
      {"cuModuleUnload", cuModuleUnload},           {"cuGetErrorString", cuGetErrorString},
      {"cuLaunchKernel", cuLaunchKernel},           {"cuGetProcAddress", cuGetProcAddress_v2},
      {"cuGetProcAddress_v2", cuGetProcAddress_v2},
  };
  *function = NULL;
  for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); ++i)
    if (!strcmp(symbol, known[i].name)) *function = known[i].function;
  if (status)
    *status =
        *function ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
