# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our deformable convolution for GPUs, as a PyTorch operator and as PTX for TensorRT.

    tiles.py            the tile sizes (TensorRT's tactics)   needs nothing
    launch.py           shapes -> grid, block, scalars        needs nothing
    ptx_store.py        reads ptx/                            needs nothing
    kernel.py           the kernel                            needs Triton
    kernel_options.py   a tile in Triton's terms              needs nothing
    compile.py          kernel -> ptx/                        needs Triton (no GPU)
    ptx_text.py         what TensorRT asks of a PTX text      needs nothing
    assembler.py        ptxas: registers and spills           needs Triton's ptxas
    kernel_call.py      tensors -> launch                     needs PyTorch, Triton
    torch_operator.py   ``upsnet::deform_conv2d``             needs PyTorch, Triton

Building an engine takes the first three only: neither PyTorch nor Triton on the vehicle.
"""
