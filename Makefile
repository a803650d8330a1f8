# make help              print this
# make setup             create .venv and install; done once, and again when the requirements change
# make run               the main job: draw a data set, train on it, evaluate, export, draw what the model finds
# make test              the tests that take seconds
# make slow              those that take minutes
# make endurance         kills, full disks, damaged files, load and memory for hours; ARGS="--minutes 30" for a part of it
# make pythons           the same as make test on each supported Python found here
# make lint              ruff and mypy
# make docs              build the documentation as pages for a browser, in site/
# make package           build the source distribution and the wheel, in dist/
# make lock              write .github/locks anew: what CI installs, each package pinned with its checksums
# make audit             look these packages up in the list of known vulnerabilities
# make bench             every benchmark but that of a GPU and those of hours, one after the other
# make samples           build the C++ programs of deploy/ (docs/deploy.md)
# make samples-test      hold them to Python
# make samples-packages  install what they need, on Debian and Ubuntu, as root
# make browser-packages  install the browser that the tests open reports in, on Debian, as root
#
# PYTHON=python3.9 VENV=.venv3.9 choose another interpreter and place; REQUIREMENTS=requirements-gpu.txt the GPU
# wheels; ARGS="tests/data -x" goes to pytest; WORKERS=2 processes run the tests side by side, a thread each. LOCKED=1
# installs what is in .github/locks, by checksum, as CI does.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
REQUIREMENTS ?= requirements.txt

LOCKS := .github/locks
LOCKED ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
LISTS := $(REQUIREMENTS) requirements-runtimes.txt requirements-dev.txt
# The stamp's name holds the lists' checksum, so a change of content, and not of a file's date, calls for pip.
STAMP := $(VENV)/set-up-$(shell cat $(LISTS) pyproject.toml $(if $(LOCKED),$(LOCKS)/tests.txt) | cksum | cut -d' ' -f1)
# PyTorch, of which only the tests need to have it here; its CUDA and mxnet's are not for one environment.
TESTS_LIST := $(if $(LOCKED),,$(if $(filter requirements.txt,$(REQUIREMENTS)),requirements-tests.txt))
TESTS_STAMP := $(if $(TESTS_LIST),$(VENV)/tests-set-up-$(shell cksum <requirements-tests.txt | cut -d' ' -f1))
# The name and version of the mxnet package in the list: mxnet==1.9.1 or mxnet-cu112==1.9.1.
MXNET := $(shell grep -o '^mxnet[a-z0-9-]*==[0-9.]*' $(REQUIREMENTS))
# Its entry in the lock, for Python 3.13 and later too.
MXNET_LOCK = awk '/^[^ \#]/ {on = /^mxnet==/} on {sub(/ ;[^\\]*/, " "); print}' $(LOCKS)/tests.txt
OTHER_MXNET := $(filter-out $(firstword $(subst =, ,$(MXNET))),mxnet mxnet-cu112)

# What builds the documentation has an environment of its own, which nothing else waits for. It needs neither mxnet nor
# the package, whose sources it reads.
DOCS_VENV ?= $(VENV)-docs
DOCS_LIST := $(if $(LOCKED),$(LOCKS)/docs.txt,requirements-docs.txt)
DOCS_STAMP := $(DOCS_VENV)/set-up-$(shell cksum <$(DOCS_LIST) | cut -d' ' -f1)

# Two programs with environments of their own: uv, which writes the locks, and pip-audit.
LOCK_VENV ?= $(VENV)-lock
AUDIT_VENV ?= $(VENV)-audit
AUDIT_STAMP := $(AUDIT_VENV)/set-up-$(shell cat $(LOCKS)/audit.txt 2>/dev/null | cksum | cut -d' ' -f1)
# For every Python from a version on, without the address of an index: the checksums say what is meant, not where it is.
COMPILE := $(LOCK_VENV)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --constraint $(LOCKS)/constraints.txt --custom-compile-command "make lock"

# Where the C++ samples are built, and what Debian and Ubuntu call what they need. Where they have no libncnn-dev,
# deploy/build.sh builds ncnn.
SAMPLES := $(CURDIR)/build/deploy
SAMPLE_PACKAGES := cmake g++ libopencv-dev nlohmann-json3-dev

.PHONY: setup help run test endurance pythons slow lint lock audit docs package bench samples samples-test samples-packages browser-packages

setup: $(STAMP)

$(STAMP):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 9) <= v <= (3, 14) or sys.exit("error: Python 3.9 to 3.14 is needed, and $(PYTHON) is %d.%d: make PYTHON=python3.11" % v)'
	@echo "installing into $(VENV) (a few minutes the first time)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@# The CPU and the GPU package own the same files: the one that is not asked for has to go first.
	@$(PIP) uninstall --yes -qq $(OTHER_MXNET)
	@$(PIP) install --quiet $(if $(LOCKED),--require-hashes -r $(LOCKS)/tests.txt,$(addprefix -r ,$(LISTS)))
	@# mxnet says numpy<2 and runs on NumPy 2, the only one that there is from Python 3.13 on: pip must not look at that.
	@$(if $(LOCKED),$(MXNET_LOCK) >$(VENV)/mxnet.txt)
	@if $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then $(PIP) install --quiet --no-deps $(if $(LOCKED),--require-hashes -r $(VENV)/mxnet.txt,$(MXNET)); fi
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/set-up-*
	@touch $@

$(VENV)/tests-set-up-%: $(STAMP)
	@$(PIP) install --quiet -r $(TESTS_LIST)
	@rm -f $(VENV)/tests-set-up-*
	@touch $@

help:
	@sed -n -e '/^#/!q' -e 's/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

run: setup
	$(PY) -m gluon_yolo quickstart --out runs/quickstart

test: setup $(TESTS_STAMP)
	$(PY) -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow" --ignore tests/deploy $(ARGS)

slow: setup $(TESTS_STAMP)
	$(PY) -m pytest -q -n $(WORKERS) --dist loadfile -m slow $(ARGS)

endurance: setup $(TESTS_STAMP)
	$(PY) -m endurance $(ARGS)

# Each interpreter is taken from the PATH or from pyenv, and gets an environment of its own.
pythons:
	@failed=; tried=; \
	for version in 3.9 3.10 3.11 3.12 3.13 3.14; do \
	  for python in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
	    $$python -c 'import venv' 2>/dev/null || continue; \
	    echo "== Python $$version"; \
	    tried="$$tried $$version"; \
	    $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv$$version || failed="$$failed $$version"; \
	    break; \
	  done; \
	done; \
	echo "tried:$${tried:- none}; failed:$${failed:- none}"; \
	test -n "$$tried" && test -z "$$failed"

lint: setup
	$(PY) -m ruff check .
	$(PY) -m mypy

lock:
	@test -x $(LOCK_VENV)/bin/uv || { $(PYTHON) -m venv $(LOCK_VENV) && $(LOCK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet "uv>=0.5"; }
	$(COMPILE) --python-version 3.9 requirements.txt requirements-runtimes.txt requirements-dev.txt requirements-tests.txt --output-file $(LOCKS)/tests.txt
	$(COMPILE) --python-version 3.12 requirements-docs.txt --output-file $(LOCKS)/docs.txt
	$(COMPILE) --python-version 3.10 requirements-audit.txt --output-file $(LOCKS)/audit.txt

# --strict: a package that cannot be looked up counts as a fault. --disable-pip: the lock has all of them already.
audit: $(AUDIT_STAMP)
	@for lock in tests docs audit; do $(AUDIT_VENV)/bin/python -m pip_audit --strict --require-hashes --disable-pip -r $(LOCKS)/$$lock.txt || exit 1; done

$(AUDIT_STAMP):
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $(LOCKS)/audit.txt
	@rm -f $(AUDIT_VENV)/set-up-*
	@touch $@

# NO_MKDOCS_2_WARNING: mkdocs-material announces its successor in fifteen lines at each build (docs/dependencies.md).
docs: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --strict --quiet
	@echo "the documentation is in site/; its search works where a server gives it: $(DOCS_VENV)/bin/mkdocs serve"

$(DOCS_STAMP):
	@echo "installing into $(DOCS_VENV)"
	@test -x $(DOCS_VENV)/bin/python || $(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip --disable-pip-version-check install --quiet $(if $(LOCKED),--require-hashes) -r $(DOCS_LIST)
	@rm -f $(DOCS_VENV)/set-up-*
	@touch $@

# The wheel is made from the source distribution, so that neither lacks what the other has.
package: setup
	$(PY) -m build --no-isolation --outdir dist

bench: setup $(TESTS_STAMP)
	@for script in $(filter-out benchmarks/alive.py benchmarks/peers.py benchmarks/runtime_models.py benchmarks/train_sides.py benchmarks/gpu_rates.py benchmarks/gpu_train.py benchmarks/ablation.py benchmarks/ablation_plans.py benchmarks/peer_training.py benchmarks/peer_training_side.py benchmarks/choosing.py benchmarks/page_tables.py benchmarks/kept_lines.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(PY) $$script || exit 1; done

samples: setup
	@deploy/build.sh "$(SAMPLES)" $(PY)

samples-test: samples
	GLUON_YOLO_SAMPLES="$(SAMPLES)" $(PY) -m pytest -q tests/deploy $(ARGS)

samples-packages:
	@dpkg -s $(SAMPLE_PACKAGES) >/dev/null 2>&1 || { \
	  echo "installing $(SAMPLE_PACKAGES), and libncnn-dev where there is one"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get -qq update && \
	  apt-get -qq install --yes --no-install-recommends $(SAMPLE_PACKAGES) $$(apt-cache pkgnames libncnn-dev) >/dev/null; }

browser-packages:
	@{ command -v chromium || command -v google-chrome; } >/dev/null || { \
	  echo "installing chromium"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium >/dev/null; }
