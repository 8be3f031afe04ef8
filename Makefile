# make install | demo | test | test-fast | test-wheel | lint | docs | sizes | photos | study | specialists | guidance |
#     bench-identify | bench-srga | bench | fuzz | clean
# THREADS: processor threads of the demo, the tests and the study.
PYTHON ?= python3.11
THREADS ?= 2
# The index to install PyTorch from. On x86-64 Linux PyPI's wheel includes CUDA and Triton, 4.3 GB; without them:
# https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
# Touched when the package is installed with its core dependencies, and with everything.
CORE := $(VENV)/.installed-core
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Seconds that each fuzz target runs.
SECONDS ?= 600
# Photographs for training, in subfolders train, val and test; any clean photographs will do.
HR ?= hr
# Local copies of the photographs of public repositories; without it, `make photos` fetches them.
PHOTOS ?=
PHOTO_PACKAGES := lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds plasma-workspace-wallpapers kphotoalbum opencv-doc \
	gcompris-qt-data tuxpaint-data palapeli-data puzzle-jigsaw

FUZZ_TARGETS := degradation recipe checkpoint image

export OMP_NUM_THREADS = $(THREADS)

.PHONY: install demo test test-fast test-wheel lint docs sizes photos study specialists guidance bench-identify bench-srga bench fuzz clean

install: $(STAMP)

$(CORE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch torchvision)
	$(PIP) --editable .
	touch $@

$(STAMP): $(CORE)
	$(PIP) --editable '.[all,docs,dev]'
	touch $@

demo: $(CORE)
	$(BIN)/ddrscope analyze --out demo --overwrite

# What is installed, largest first, in megabytes.
sizes: $(CORE)
	$(BIN)/python -m scripts.installed_sizes

# Builds the wheel and tries it in an empty environment of each supported Python on this machine.
test-wheel:
	$(PYTHON) -m scripts.try_wheel

# As many processes as threads, each with one: most tests wait for commands, which start slowly and compute little.
test: install lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(THREADS) --dist loadfile

# The unit tier: no commands in processes of their own, no browser, no cluster, no documentation. The ignored files have
# no unit tests.
test-fast: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(THREADS) --dist loadfile -m "not (cli or browser or cluster or docs or slow)" \
		--ignore tests/docs --ignore tests/packaging --ignore tests/batch/test_cluster.py

# The site, built strictly: build/docs/site/index.html, which opens without a server and without a network.
docs: install
	$(BIN)/python -m scripts.docs.build build/docs

# The training, validation and test sets, see docs/photographs.md. Needs Debian's apt-get and git, installs nothing; give
# the command again to go on.
photos: install
	mkdir -p build/photos
	cd build/photos && for package in $(PHOTO_PACKAGES); do \
		test -e $$package.unpacked && continue; \
		ls $${package}_*.deb >/dev/null 2>&1 || apt-get download $$package; \
		dpkg -x $${package}_*.deb . && touch $$package.unpacked; \
	done
	$(BIN)/python -m scripts.photographs.prepare build/photos $(HR) $(if $(PHOTOS),--copies '$(PHOTOS)')

# Trains what is missing, hours on a first run; give the command again to go on after an interruption.
study: install
	$(BIN)/ddrscope study --images $(HR)/train --val $(HR)/val --test $(HR)/test --threads $(THREADS) --out study --resume

# The bundled identifier and what docs/identification.md says of it; hours on slow cores. Needs Debian's
# imagemagick, ffmpeg, libjpeg-turbo-progs, webp, libavif-bin and libjxl-tools.
bench-identify: install
	$(PIP) --editable '.[bench]'
	mkdir -p build/identify
	$(BIN)/python -m experiments.identification.choose_descriptor $(HR) build/identify
	$(BIN)/python -m experiments.identification.run $(HR) build/identify
	$(BIN)/python -m experiments.identification.external_tools $(HR) build/identify
	$(BIN)/python -m experiments.identification.figures build/identify build/identify

# SRGA of networks trained on clean, blurred and noisy images (experiments/specialists): fourteen short trainings, then
# their scores.
specialists: install
	$(BIN)/python -m experiments.specialists.run $(HR) build/specialists
	$(BIN)/python -m experiments.specialists.figures build/specialists build/specialists

# Claim C8: networks steered by DDR beside their controls; fifteen trainings, hours on two cores.
guidance: install
	mkdir -p build/guidance
	$(BIN)/python -m experiments.guidance.choose_guide $(HR) build/guidance/guide.csv
	$(BIN)/python -m experiments.guidance.run $(HR) build/guidance
	$(BIN)/python -m experiments.guidance.figures $(HR) build/guidance build/guidance

# SRGA beside its published recipe: 15 minutes, and some 20 GB of memory for the recipe.
bench-srga: install
	$(BIN)/python -m benchmarks.srga build/srga --images $(HR)/train

# How fast features come, beside the plain way, torch.compile, ONNX Runtime and OpenVINO; what bfloat16 changes. Ten minutes,
# alone on the machine.
bench: install
	$(PIP) --editable '.[bench]'
	$(BIN)/python -m benchmarks.throughput build/bench
	$(BIN)/python -m benchmarks.identify build/bench
	$(BIN)/python -m benchmarks.bfloat16 build/bench

# Fuzzes the parsers of untrusted input (fuzz/README.md); stops at the first finding.
fuzz: install
	$(PIP) --editable '.[fuzz]'
	mkdir -p $(foreach target,$(FUZZ_TARGETS),build/fuzz/$(target) fuzz/findings/$(target))
	for target in $(FUZZ_TARGETS); do \
		$(BIN)/python fuzz/$$target.py -max_total_time=$(SECONDS) -rss_limit_mb=3000 -timeout=20 \
			-artifact_prefix=build/fuzz/$$target- build/fuzz/$$target fuzz/corpus/$$target fuzz/findings/$$target || exit 1; \
	done

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist
