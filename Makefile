# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | column -t -s $$'\t'

.PHONY: setup
setup: ## install what the build needs
	@scripts/setup build

.PHONY: build
build: setup ## build build/release/sluice
	@scripts/build release sluice

.PHONY: demo
demo: build ## make the example's data, run it, print the report and the answer to one business question
	@scripts/demo

.PHONY: test
test: ## all tests: unit (also under sanitizers), pipeline, interop, Spark; `make test PARTS="unit spark"` for some (scripts/test says which)
	@scripts/setup test
	@scripts/setup spark
	@scripts/test $(PARTS)

.PHONY: test-spark
test-spark: ## Spark with Delta as the judge of our tables
	@scripts/setup test
	@scripts/setup spark
	@scripts/build release sluice
	@scripts/test spark

.PHONY: test-random
test-random: ## operations by Sluice, Spark and delta-rs at random, as long as wanted: make test-random SECONDS=3600 [SEED=17]
	@scripts/setup test
	@scripts/setup spark
	@scripts/build release sluice
	@.deps/venv/bin/python tests/spark/random_ops.py --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: ## the fuzz targets, as long as wanted: make fuzz SECONDS=3600; what they find stays in build/fuzz/found
	@scripts/setup test
	@scripts/build fuzz fuzz_targets
	@scripts/fuzz $(or $(SECONDS),600)

.PHONY: check
check: ## all that CI does
	@.ci/run

.PHONY: bench
bench: build ## the benchmarks, side by side with their peers
	@scripts/setup test
	@bench/run

.PHONY: crash
crash: ## kill a run of the example at every store operation (CI runs a sample)
	@scripts/setup test
	@scripts/build release crash_test
	@SLUICE_CRASH_ALL=1 build/release/crash_test

.PHONY: coverage
coverage: ## line coverage of src/
	@scripts/setup test
	@scripts/coverage

.PHONY: format
format: ## format the C++ sources in place
	@git ls-files 'src/*.cc' 'src/*.h' 'tests/*.cc' 'bench/*.cc' | xargs clang-format-19 -i

.PHONY: docs
docs: build ## regenerate docs/reference.md and the JSON Schemas
	@scripts/docs
