# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every target sets up what it needs (.ci/environment.py) and may be run again at any time.

PYTHON ?= python3
# The distribution whose wheels are taken where no ROS installation is sourced: jazzy or kilted.
ROS ?= jazzy
export ROS
SETUP := $(PYTHON) .ci/environment.py
RUNTIME := $(SETUP) exec runtime --
OTHER := ROS=$(if $(filter kilted,$(ROS)),jazzy,kilted)

# The sample drive of `make demo`; any of these may be given on the command line.
DEMO := out/demo
DRIVE := $(DEMO)/drive
FRAMES := 120
SEED := 6
SIZE := 1024x512
# As it was recorded; the demo plays it at RATE [Hz], or at what this computer can follow.
CAMERA_HZ := 9
RATE :=

# What `make replay` plays into the node: bag, model (empty: the demo model), output, pace.
BAG := $(DRIVE)
MODEL :=
OUTPUT := out/replay
# Replaces the last report in its usual place; another folder of yours only if you say so.
RESTART = $(if $(filter file,$(origin OUTPUT)),--restart)
replay: RATE := 1

.DEFAULT_GOAL := help
.PHONY: help demo replay check test bench lint tables clean setup setup-other-ros setup-training setup-tensorrt setup-browser

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## replay a sample drive through the real node; the report comes to out/demo/
	@$(RUNTIME) python .ci/sample_drive.py --output $(DRIVE) --frames $(FRAMES) --seed $(SEED) --size $(SIZE) --rate $(CAMERA_HZ)
	@$(RUNTIME) python -m upsnet_ros.evaluation.demo --bag $(DRIVE) --output $(DEMO) $(if $(RATE),--camera-hz $(RATE))

replay: setup ## play BAG (the sample drive) into the node at RATE and evaluate it; OUTPUT, MODEL
	@[ '$(BAG)' != '$(DRIVE)' ] || [ -e '$(DRIVE)' ] || $(RUNTIME) python .ci/sample_drive.py --output $(DRIVE) --frames $(FRAMES) --seed $(SEED) --size $(SIZE) --rate $(CAMERA_HZ)
	@$(RUNTIME) python -m upsnet_ros.evaluation.live '$(BAG)' --output '$(OUTPUT)' --rate $(RATE) $(RESTART) $(if $(MODEL),--model '$(MODEL)')

check: setup ## before each commit: lint, and the tests without ROS, torch or processes
	@$(PYTHON) .ci/run_tests.py check

test: setup setup-other-ros setup-training setup-tensorrt setup-browser ## lint and every test, two suites at a time
	@$(PYTHON) .ci/run_tests.py

bench: setup setup-training ## benchmarks; the tables come to out/bench/
	@$(PYTHON) .ci/run_benchmarks.py

lint: setup ## ruff: rules and format; mypy: types
	@$(PYTHON) .ci/run_tests.py lint

tables: setup ## write what repeats the code: docs/node.md, config/perception.yaml, SROS2 policy
	@$(RUNTIME) python -m upsnet_ros.node.tables

clean: ## remove build tree, demo and benchmark outputs, caches; .venv, data and trained models stay
	rm -rf .ros .ros-* out/demo out/replay out/bench .pytest_cache .ruff_cache .mypy_cache
	find . \( -path ./.venv -o -path ./data -o -path ./out -o -path ./.git \) -prune -o -name __pycache__ -prune -exec rm -rf {} +

setup: ## the runtime environment and the built ROS package, nothing else
	@$(SETUP) runtime
	@$(SETUP) ros-build

setup-other-ros: ## that of the distribution that ROS= does not name, on which a part of the tests runs
	@$(OTHER) $(SETUP) runtime
	@$(OTHER) $(SETUP) ros-build

setup-training: ## the training environment (torch), nothing else
	@$(SETUP) training

setup-browser: ## a Chromium for the tests of reports, nothing else
	@$(SETUP) browser

setup-tensorrt: ## TensorRT's parser, builder and plugin registry for tests, nothing else
	@$(SETUP) tensorrt
