# musemesh. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
RUN_DIR ?= .run
BUILD := build
CMAKE_FLAGS :=
# `make ... CUDA=1`: the device kernels for a card, in build/cuda; without it they are built for the emulator.
ifeq ($(CUDA),1)
BUILD := build/cuda
CMAKE_FLAGS := -DMESH_CUDA=ON
endif

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

.PHONY: model-gemma
model-gemma: deps ## bring Gemma 3 270M (253 MB, Gemma terms of use) into .run/models, as `make test` does
	@python3 scripts/fetch_model.py --model=gemma $(RUN_DIR)/models

.PHONY: cuda-toolkit
cuda-toolkit: deps ## bring nvcc and the CUDA libraries into .run/cuda, where no toolkit is installed
	@scripts/cuda/fetch_toolkit.sh $(RUN_DIR)/cuda

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json | deps $(if $(filter 1,$(CUDA)),cuda-toolkit)
	@mkdir -p $(BUILD)
	@cmake --preset release -B $(BUILD) $(CMAKE_FLAGS) >$(BUILD)/configure.log 2>&1 || { tail -n 30 $(BUILD)/configure.log; exit 1; }

.PHONY: build
build: deps $(BUILD)/build.ninja ## build everything; binaries in build/bin (CUDA=1: build/cuda/bin)
	@cmake --build $(BUILD) -j$(JOBS)

.PHONY: binaries
binaries: deps $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j$(JOBS) --target binaries

.PHONY: run
run: $(if $(filter 1,$(CUDA)),run-card) binaries kafka model ## build and start the whole mesh on this machine; Ctrl-C stops it
	@python3 scripts/mesh/up.py --run-dir=$(RUN_DIR) --bin-dir=$(BUILD)/bin $(if $(filter 1,$(CUDA)),--device=cuda) $(RUN_FLAGS)

# Before a toolkit is fetched and the kernels are compiled: whether there is a card to run them.
.PHONY: run-card card
run-card: deps
	@python3 scripts/mesh/up.py --check --device=cuda $(RUN_FLAGS)
card: deps
	@python3 scripts/mesh/card.py

.PHONY: test
test: build kafka model model-gemma foreign-clients ## unit and integration tests (a broker and a Redis of their own), then chaos-short
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)
	@$(MAKE) --no-print-directory chaos-short

.PHONY: test-unit
test-unit: build model foreign-clients ## unit tests only
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS) -LE integration

# Unit tests whose whole code is ours or header-only: gRPC, librdkafka and Protobuf are not instrumented, and ThreadSanitizer
# would report what it cannot see.
ASAN_TESTS := account_test app_test architectures_golden_test base_test bus_test channel_test chat_template_test \
  config_test crypto_test device_golden_test engine_bad_model_files_test engine_bench_test engine_device_test engine_random_requests_test \
  engine_test gateway_test graph_test http_test identity_test json_test kernels_gpu_test kernels_test kvcache_test media_test model_gpu_test \
  model_test sample_gpu_test sampler_test scheduler_test sender_test telemetry_test tensor_test tokenizer_test unicode_test worker_test \
  chat_template_fuzz gguf_fuzz image_size_fuzz offset_map_fuzz signature_fuzz splitter_fuzz tokenizer_fuzz webhook_fuzz
TSAN_TESTS := base_test engine_random_requests_test engine_test http_test kernels_test model_test scheduler_test telemetry_test

.PHONY: sanitize
sanitize: sanitize-asan sanitize-tsan ## unit tests under AddressSanitizer with UBSan, then ThreadSanitizer

.PHONY: sanitize-asan sanitize-tsan
sanitize-asan: SANITIZED_TESTS := $(ASAN_TESTS)
sanitize-tsan: SANITIZED_TESTS := $(TSAN_TESTS)
sanitize-asan sanitize-tsan: sanitize-%: deps
	@cmake --preset $* >/dev/null
	@cmake --build $(BUILD)/$* -j$(JOBS) --target $(SANITIZED_TESTS)
	@ctest --test-dir $(BUILD)/$* --no-tests=error --output-on-failure -j$(JOBS) -R '^($(subst $(eval ) ,|,$(strip $(SANITIZED_TESTS))))$$'

# What of a CUDA=1 build differs from the plain one.
.PHONY: cuda
cuda: ## compile the device kernels for cards (no card needed): sm_80, sm_90a, sm_100, in build/cuda
	@$(MAKE) --no-print-directory CUDA=1 cuda-build

.PHONY: cuda-build
cuda-build: deps $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j$(JOBS) --target gpu_bench gpu_compare gpu_step_bench kernels_gpu_test \
	  sample_gpu_test model_gpu_test device_golden_test engine_device_test worker fake_driver

# The thread sanitizer knows the emulator's barriers, so it sees what the order of the threads alone would hide.
.PHONY: races
races: deps ## races between the threads of a block in the device kernels, on the emulator (minutes)
	@cmake --preset tsan >/dev/null
	@cmake --build $(BUILD)/tsan -j$(JOBS) --target kernels_gpu_test
	@TSAN_OPTIONS=halt_on_error=1 $(BUILD)/tsan/tests/kernels_gpu_test --gtest_brief=1 --gtest_filter='-*DeathTest*' $(TEST_FLAGS)

.PHONY: test-cuda
test-cuda: card cuda ## tests of the device kernels on this machine's card
	@build/cuda/bin/gpu_bench --card
	@ctest --test-dir build/cuda --output-on-failure -L gpu

# racecheck sees shared memory alone, and takes minutes: FILTER='RmsNorm*' CHECKS=racecheck does a part.
.PHONY: sanitize-cuda
sanitize-cuda: card cuda ## compute-sanitizer over the device kernels on this machine's card (FILTER=..., CHECKS=...: a part)
	@FILTER='$(FILTER)' CHECKS='$(CHECKS)' scripts/cuda/sanitize.sh build/cuda/tests/kernels_gpu_test build/cuda/tests/sample_gpu_test

# PEERS_LLAMA_PYTHON, PEERS_OPENVINO_PYTHON: interpreters that have the peers' packages, in place of an installation.
.PHONY: bench-peers
bench-peers: binaries model ## our CPU engine beside llama.cpp and OpenVINO, into docs/performance/cpu.md (10 min, first 20)
	@cmake --build $(BUILD) -j$(JOBS) --target engine_bench
	@python3 scripts/bench/peers.py --bin-dir=$(BUILD)/bin $(BENCH_FLAGS)

.PHONY: bench
bench: binaries kafka model ## every figure of docs/performance/cpu.md that needs no peer, engine and whole mesh (10 min)
	@cmake --build $(BUILD) -j$(JOBS) --target engine_bench
	@python3 scripts/bench/reach.py --bin-dir=$(BUILD)/bin $(BENCH_FLAGS)

.PHONY: overload
overload: binaries kafka ## goodput of a mesh at 1, 3 and 10 times what its engine can do (4 min; docs/reliability.md)
	@python3 scripts/bench/overload.py --bin-dir=$(BUILD)/bin --run-dir=$(RUN_DIR)/overload \
	  --kafka-libs=$(RUN_DIR)/kafka/libs $(OVERLOAD_FLAGS)

.PHONY: outage
outage: binaries kafka ## recovery from 60 s without a broker beside the drain time (3 min; docs/reliability.md)
	@python3 scripts/bench/outage.py --bin-dir=$(BUILD)/bin --run-dir=$(RUN_DIR)/outage \
	  --kafka-libs=$(RUN_DIR)/kafka/libs $(OUTAGE_FLAGS)

.PHONY: docs
docs: build ## write docs/CONFIGURATION.md anew from the option tables
	@$(BUILD)/bin/config_doc >docs/CONFIGURATION.md

.PHONY: sim
sim: deps $(BUILD)/build.ninja ## random schedules of the state machines under virtual time: SCHEDULES=N SEED=S (tests/sim)
	@cmake --build $(BUILD) -j$(JOBS) --target sim
	@$(BUILD)/tests/sim --schedules=$(or $(SCHEDULES),100000) --seed=$(or $(SEED),1)

# Clients of Meta's APIs that others wrote, pinned by hash; tests/CMakeLists.txt looks for them in .run.
FOREIGN_LIBS := .run/foreign-python
.PHONY: foreign-clients
foreign-clients: $(FOREIGN_LIBS)/.complete ## bring the public SDKs that tests/foreign compares us with into .run/foreign-python
$(FOREIGN_LIBS)/.complete: tests/foreign/requirements.txt tests/chaos/requirements.txt | deps
	@python3 -m pip install --quiet --upgrade --require-hashes --no-deps --target $(FOREIGN_LIBS) $(^:%=-r %)
	@touch $@

# The fault harness's Kafka client, pinned by hash; not the one that the services link.
CHAOS_LIBS := $(RUN_DIR)/chaos-python
$(CHAOS_LIBS)/.complete: tests/chaos/requirements.txt | deps
	@python3 -m pip install --quiet --upgrade --require-hashes --no-deps --target $(CHAOS_LIBS) -r $<
	@touch $@

CHAOS = PYTHONPATH=$(CHAOS_LIBS) python3 tests/chaos/chaos.py --bin-dir=$(BUILD)/bin --run-dir=$(RUN_DIR)/chaos \
  --kafka-libs=$(RUN_DIR)/kafka/libs
CYCLES ?= 20
SEED ?= 1
.PHONY: chaos
chaos: binaries kafka $(CHAOS_LIBS)/.complete $(if $(ENGINE_SHARE),model) ## break a mesh again and again: CYCLES=N SEED=S [FAULTS=kill,pause,...] [ENGINE_SHARE=0.2] (docs/reliability.md)
	@$(CHAOS) --cycles=$(CYCLES) --seed=$(SEED) $(if $(FAULTS),--faults=$(FAULTS)) \
	  $(if $(ENGINE_SHARE),--engine-share=$(ENGINE_SHARE)) $(CHAOS_FLAGS)

# One cycle of each kind is what chaos.py does by default.
.PHONY: chaos-short
chaos-short: binaries kafka $(CHAOS_LIBS)/.complete ## every kind of fault once, seed 1 (4 to 5 minutes)
	@$(CHAOS) --seed=1 --outage-s=20 $(CHAOS_FLAGS)

SOURCES = $(shell git ls-files '*.cpp' '*.cu' '*.cuh' '*.h')
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
