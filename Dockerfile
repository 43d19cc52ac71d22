# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# perception_node in a container, for x86 and Jetson; docs/deployment.md has the commands.
#
#   docker build --tag upsnet_ros .
#   docker run --rm --network host --shm-size 1g upsnet_ros
#
# The base has to be Ubuntu 24.04, for which ROS 2 Jazzy is packaged: with ROS, or without it as
# NVIDIA's are (then it is installed). A base without CUDA and TensorRT runs ONNX Runtime.
#   x86, no GPU        ros:jazzy-ros-base-noble
#   x86, NVIDIA GPU    nvcr.io/nvidia/tensorrt:25.08-py3
#   Jetson             an image with the CUDA and TensorRT of its JetPack, 7.2 or newer
#
# Shared memory: --shm-size has to hold a segment of the Fast DDS profile for each process of
# images: 1g for one camera of 2048x1024; for others the head of what upsnet_ros.dds_profile writes.
ARG BASE_IMAGE=ros:jazzy-ros-base-noble

FROM ${BASE_IMAGE} AS ros
ARG ROS_APT_SOURCE=1.1.0
ENV ROS_DISTRO=jazzy DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN if [ ! -d /opt/ros/${ROS_DISTRO} ]; then \
      apt-get update \
      && apt-get install --yes --no-install-recommends ca-certificates curl \
      && curl --fail --silent --show-error --location --output /tmp/ros2-apt-source.deb \
        "https://github.com/ros-infrastructure/ros-apt-source/releases/download/${ROS_APT_SOURCE}/ros2-apt-source_${ROS_APT_SOURCE}.noble_all.deb" \
      && apt-get install --yes /tmp/ros2-apt-source.deb \
      && apt-get update \
      && apt-get install --yes --no-install-recommends ros-${ROS_DISTRO}-ros-base \
      && rm -rf /tmp/ros2-apt-source.deb /var/lib/apt/lists/*; \
    fi
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
      python3-jinja2 \
      python3-matplotlib \
      python3-numpy \
      python3-opencv \
      python3-pil \
      python3-psutil \
      python3-tqdm \
      python3-venv \
      python3-yaml \
      ros-${ROS_DISTRO}-diagnostic-msgs \
      ros-${ROS_DISTRO}-launch-ros \
      ros-${ROS_DISTRO}-rmw-fastrtps-cpp \
      ros-${ROS_DISTRO}-sensor-msgs \
      ros-${ROS_DISTRO}-std-srvs \
      ros-${ROS_DISTRO}-vision-msgs \
    && rm -rf /var/lib/apt/lists/*

FROM ros AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
      build-essential \
      cmake \
      python3-colcon-common-extensions \
      ros-${ROS_DISTRO}-rosidl-default-generators \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /workspace
COPY CMakeLists.txt package.xml src/upsnet_ros/
COPY msg src/upsnet_ros/msg
COPY launch src/upsnet_ros/launch
COPY config src/upsnet_ros/config
COPY deploy src/upsnet_ros/deploy
COPY upsnet_ros src/upsnet_ros/upsnet_ros
RUN source /opt/ros/${ROS_DISTRO}/setup.bash \
    && colcon build --packages-select upsnet_ros --merge-install \
      --install-base /opt/upsnet_ros --cmake-args -DBUILD_TESTING=OFF

FROM ros AS runtime
# What no ROS distribution has, at the versions that the project is tested with. Where TensorRT is
# in the base, its Python package is found there; the bindings of CUDA are those of the node.
COPY config/versions.txt /tmp/versions.txt
RUN python3 -m venv --system-site-packages /opt/venv \
    && grep -E '^(onnxruntime|openvino|openvino-telemetry|numba|llvmlite|mcap|rosbags|apsw|lz4|zstandard|cuda-bindings|cuda-pathfinder)==' \
      /tmp/versions.txt > /tmp/wanted.txt \
    && /opt/venv/bin/pip install --no-cache-dir --requirement /tmp/wanted.txt \
    && rm /tmp/versions.txt /tmp/wanted.txt
COPY --from=build /opt/upsnet_ros /opt/upsnet_ros
COPY deploy/entrypoint.sh /entrypoint.sh

# Fast DDS shares memory between processes of one user only: give the number of the user under
# whom cameras and subscribers run.
ARG USER_ID=1000
RUN if ! getent passwd ${USER_ID} > /dev/null; then \
      useradd --uid ${USER_ID} --create-home upsnet; \
    fi \
    && mkdir --parents /models /logs \
    && chown ${USER_ID} /models /logs
ENV PATH=/opt/venv/bin:${PATH} \
    ROS_LOG_DIR=/logs \
    FASTRTPS_DEFAULT_PROFILES_FILE=/opt/upsnet_ros/share/upsnet_ros/config/fastdds.xml
USER ${USER_ID}
WORKDIR /models
STOPSIGNAL SIGTERM
# The state that the node itself publishes; it is well while it is active and its engine works.
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 \
    CMD ["/entrypoint.sh", "ros2", "run", "upsnet_ros", "health", "--timeout", "5"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "upsnet_ros", "perception.launch.py"]
