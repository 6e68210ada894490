# The verbs of the project; `make` alone lists them.
PYTHON ?= python3
# Where the default model is trained, and where the stubs are generated.
OUT ?= runs/en-fr
STUBS ?= client
DEFINITION := pyproject.toml constraints.txt models/en-fr/pyproject.toml
PROTOC = .venv/bin/python -m grpc_tools.protoc -Iprotos \
  -I$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export ORT_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install run test check protos train-default image image-gpu image-client image-check \
  deploy-check dist locks clean
help:  ## List the verbs
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' Makefile | expand -t 24

install: .venv/installed  ## Make or update .venv, with everything development needs

run: .venv-server/installed  ## Serve the default model, translate a few sentences, stop
	@.venv-server/bin/python examples/first_translation.py

test: .venv/installed  ## Run the tests (.venv/bin/pytest -m deep: the long ones)
	@.venv/bin/pytest

check: .venv/installed  ## Check format, lint, types, the wire contract and its stubs
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@mkdir -p build && $(PROTOC) --include_imports --include_source_info \
	  --descriptor_set_out=build/contract.binpb protos/ferryman/v1/*.proto
	@.venv/bin/buf lint build/contract.binpb --config protos/buf.yaml --path ferryman
	@rm -rf build/stubs && $(MAKE) --silent protos STUBS=build/stubs
	@diff -r -x '__*' build/stubs/ferryman/v1 client/ferryman/v1 \
	  || { echo 'client/ferryman/v1 is not what protos/ says: run `make protos`'; exit 1; }

protos: .venv/installed  ## Generate the stubs in client/ferryman/v1 from protos/
	@mkdir -p $(STUBS)
	@$(PROTOC) --python_out=$(STUBS) --pyi_out=$(STUBS) protos/ferryman/v1/*.proto
	@$(PROTOC) --plugin=.venv/bin/protoc-gen-mypy_grpc --grpc_python_out=$(STUBS) \
	  --mypy_grpc_out=quiet:$(STUBS) protos/ferryman/v1/*_service.proto

train-default: .venv/installed  ## Train the default model: CORPUS=folder, OUT=folder; resumes
	@test -f '$(CORPUS)/train.tsv.xz' -a -f '$(CORPUS)/valid.tsv' \
	  || { echo 'usage: make train-default CORPUS=folder with train.tsv.xz and valid.tsv'; exit 2; }
	@.venv/bin/ferryman train training/configs/en-fr.toml $(OUT) \
	  --set corpus.train=$(abspath $(CORPUS))/train.tsv.xz \
	  --set corpus.valid=$(abspath $(CORPUS))/valid.tsv

image:  ## Build the image of the server; CONTAINER_TOOL=docker, podman or buildah
	@deploy/build-image server

image-gpu:  ## Build the image of the server for NVIDIA GPUs
	@deploy/build-image server-gpu

image-client:  ## Build the image of the client, for batch jobs
	@deploy/build-image client

image-check: .venv/installed .venv-deploy/installed  ## Build the images, run them, and look from inside and outside (root)
	@.venv/bin/pytest -m "container and not deep" tests/container

deploy-check: .venv-deploy/installed .venv-checkov/installed  ## Check chart, compose file, Dockerfiles
	@.venv-deploy/bin/pytest -m deploy tests/deploy

dist: .venv-deploy/installed  ## Build wheels and sdists, with SBOM and licences, in dist/
	@deploy/release .venv-deploy/bin

locks: .venv-deploy/installed  ## Pin every library of each role in deploy/locks
	@deploy/locks/compile .venv-deploy/bin/uv

clean:  ## Remove environments, caches and generated folders; runs/ stays
	rm -rf .venv .venv-server .venv-deploy .venv-checkov build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/installed: EXTRAS := server,documents,tracing,training,export,evaluate,plots,tensorboard,dev
.venv-server/installed: EXTRAS := server
.venv/installed .venv-server/installed: $(DEFINITION)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	  "ferryman needs Python 3.11 or newer; name one: make PYTHON=python3.11 ...")'
	@echo 'Installing ferryman[$(EXTRAS)] into $(@D)'
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install -qq -c constraints.txt -e '.[$(EXTRAS)]' -e models/en-fr
	@touch $@

.venv-deploy/installed: deploy/locks/tools.txt
.venv-checkov/installed: deploy/locks/checkov.txt
.venv-deploy/installed .venv-checkov/installed:
	@echo 'Installing $< into $(@D)'
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install -qq --require-hashes -r $<
	@touch $@
