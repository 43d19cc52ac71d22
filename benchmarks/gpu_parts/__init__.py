# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of ``python -m benchmarks.gpu``.

part.py                  a part, its settings, running parts so that none stops the others
timing.py                wall clock, CUDA events and graphs, the device's matrix rate
precision.py             which products a float32 computation may take
layer.py                 one deformable convolution: tensors, guarded memory, Triton's launch
kernel_numerics.py       part: our operator beside torchvision's, forward and backward
kernel_speed.py          part: every tile beside torchvision and cuDNN's dense convolution
kernel_speed_table.py    its table and aims
cuda_driver.py           the CUDA driver's calls that launch a PTX text
ptx_launch.py            part: the texts shipped for TensorRT, launched as TensorRT would
whole_network.py         part: UPSNet-50, plain PyTorch beside one CUDA graph
calm_network.py          random weights whose activations fit half precision
operators.py             parts: training operators and the demo network, also on CPUs
"""
