# Thin: what happens is in .ci/, one script a target.
.DEFAULT_GOAL := help
.PHONY: help run build test bench fmt clean setup

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start a Primary, a Backup and a zone of machines to click in (ARGS="--machines 500")
	@.ci/demo $(ARGS)

build: ## build userlock and userlock-agent, with the dashboard inside
	@.ci/build

test: ## everything: format, dependencies, lints, tests, real logons, browser (ONLY="clippy test" for some steps)
	@.ci/test $(ONLY)

bench: ## measure
	@.ci/bench $(ARGS)

fmt: ## format the code
	@cargo fmt --all

clean: ## remove what was built
	@.ci/clean

setup: ## install what building and testing need
	@.ci/setup
