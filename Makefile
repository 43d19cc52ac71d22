# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every target sets up what it needs (.ci/environment.py) and may be run again at any time.

SETUP := python3 .ci/environment.py
RUNTIME := $(SETUP) exec runtime --

# The sample drive of `make demo`; any of these may be given on the command line.
DEMO := out/demo
DRIVE := $(DEMO)/drive
FRAMES := 120
SEED := 6
SIZE := 1024x512

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint clean setup setup-training

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## replay a sample drive through the real node; the report comes to out/demo/
	@$(RUNTIME) python .ci/sample_drive.py --output $(DRIVE) --frames $(FRAMES) --seed $(SEED) --size $(SIZE)
	@$(RUNTIME) python -m upsnet_ros.evaluation.demo --bag $(DRIVE) --output $(DEMO)

test: setup setup-training ## lint, then every test
	@python3 .ci/run_tests.py

bench: setup ## benchmarks; the tables come to out/bench/
	@python3 .ci/run_benchmarks.py

lint: setup ## ruff: rules and format
	@$(RUNTIME) ruff check .
	@$(RUNTIME) ruff format --check .

clean: ## remove build tree and outputs; the virtual environments stay (remove .venv yourself)
	rm -rf .ros out .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

setup: ## the runtime environment and the built ROS package, nothing else
	@$(SETUP) runtime
	@$(SETUP) ros-build

setup-training: ## the training environment (torch), nothing else
	@$(SETUP) training
