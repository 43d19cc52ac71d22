/* Copyright 2026 The upsnet_ros authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The part of TensorRT's library that its Python bindings need to load, where the builder is not
 * installed: the plugin registry and the runtime are those of TensorRT's lean library, to which
 * this one is linked; the builder and the ONNX parser are absent and answer with null pointers.
 */

#include <stdbool.h>
#include <stddef.h>

void *getPluginRegistry(void); /* libnvinfer_lean */

void *getBuilderPluginRegistry(int capability) {
  (void)capability;
  return getPluginRegistry();
}

void *createInferBuilder_INTERNAL(void *logger, int version) {
  (void)logger, (void)version;
  return NULL;
}

void *createNvOnnxParser_INTERNAL(void *network, void *logger, int version) {
  (void)network, (void)logger, (void)version;
  return NULL;
}

void *createNvOnnxParserRefitter_INTERNAL(void *refitter, void *logger, int version) {
  (void)refitter, (void)logger, (void)version;
  return NULL;
}

int getNvOnnxParserVersion(void) { return 0; }

bool initLibNvInferPlugins(void *logger, char const *name_space) {
  (void)logger, (void)name_space;
  return true;
}
