# musemesh. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
RUN_DIR ?= .run
BUILD := build

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## install the missing system packages (Debian 12, Ubuntu 24.04)
	@scripts/deps.sh

.PHONY: kafka
kafka: deps ## bring the broker's jars (Apache Kafka 4.4) into .run/kafka/libs
	@scripts/kafka/fetch_jars.sh $(RUN_DIR)/kafka/libs

.PHONY: model
model: deps ## bring the default model (98 MB) into .run/models
	@python3 scripts/fetch_model.py $(RUN_DIR)/models

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json | deps
	@cmake --preset release >$(BUILD).log 2>&1 || { tail -n 30 $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/configure.log

.PHONY: build
build: deps $(BUILD)/build.ninja ## build everything; binaries in build/bin
	@cmake --build $(BUILD) -j$(JOBS)

.PHONY: binaries
binaries: deps $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j$(JOBS) --target binaries

.PHONY: run
run: binaries kafka model ## build and start the whole mesh on this machine; Ctrl-C stops it
	@python3 scripts/mesh/up.py --run-dir=$(RUN_DIR) $(RUN_FLAGS)

.PHONY: test
test: build kafka model ## unit and integration tests (a broker and a Redis of their own)
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

.PHONY: test-unit
test-unit: build model ## unit tests only
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS) -LE integration

.PHONY: sanitize
sanitize: deps model ## unit tests under AddressSanitizer and UBSan, then ThreadSanitizer
	@for preset in asan tsan; do \
	  cmake --preset $$preset >/dev/null && cmake --build $(BUILD)/$$preset -j$(JOBS) --target unit_tests && \
	  ctest --test-dir $(BUILD)/$$preset --output-on-failure -j$(JOBS) -L unit || exit 1; done

.PHONY: docs
docs: build ## write docs/CONFIGURATION.md anew from the option tables
	@$(BUILD)/bin/config_doc >docs/CONFIGURATION.md

SOURCES = $(shell git ls-files '*.cpp' '*.h')
.PHONY: format
format: ## clang-format all sources
	@command -v clang-format >/dev/null || { echo "format: install clang-format (apt-get install clang-format)"; exit 1; }
	@clang-format -i $(SOURCES)

.PHONY: lint
lint: ## formatting and clang-tidy
	@command -v clang-tidy >/dev/null || { echo "lint: install clang-tidy (apt-get install clang-tidy clang-format)"; exit 1; }
	@clang-format --dry-run -Werror $(SOURCES)
	@clang-tidy -p $(BUILD) --quiet $(filter %.cpp,$(filter libs/% services/%,$(SOURCES)))

.PHONY: clean
clean: ## remove build outputs; data in .run stays (remove it with: rm -rf .run)
	@rm -rf $(BUILD) $(BUILD).log
