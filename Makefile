# make demo    install, then the main job on the built-in model and the bundled pictures
# make test    install with the test extras, then every test
# make help    the rest

PYTHON ?= python3
VENV ?= .venv
# URL of a package index with other builds of torch, e.g. PyTorch's own for CPUs (small, no CUDA); empty: pip's.
TORCH_INDEX ?=
DEMO ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test test-fast golden check fix docs pictures bench clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo       tags and heat maps of the bundled pictures before and after training, then the scenes tables'
	@echo 'make test       every test; make test-fast leaves out the slow ones'
	@echo 'make golden     the comparisons with the published systems only'
	@echo 'make check      lint, types, layers, stale docs; changes nothing'
	@echo 'make fix        format, and repair what lint can repair'
	@echo 'make docs       write docs/cli.md and docs/benchmarks.md anew'
	@echo 'make pictures   draw the pictures of README.md anew'
	@echo 'make bench      every benchmark, each a ratio measured now'
	@echo 'make clean      remove the virtual environment and caches'

# torch first, from its own index if one is given: what is installed later then finds its torch there.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "ttd needs Python 3.10 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch torchvision
	@touch $@

$(VENV)/.base: $(VENV)/.torch pyproject.toml
	$(PIP) --editable .
	@touch $@

# pydensecrf2 is compiled here, so this and not `make demo` needs a C++ compiler.
$(VENV)/.dev: $(VENV)/.base
	$(PIP) --editable '.[dev,crf]'
	@touch $@

# One thread: the built-in model is so small that a second one costs more than it brings.
demo: $(VENV)/.base
	$(BIN)/ttd demo --lora scenes-ttd --before $(DEMO)
	OMP_NUM_THREADS=1 $(BIN)/ttd evaluate --data scenes
	OMP_NUM_THREADS=1 $(BIN)/ttd evaluate --task tags --data scenes:test --lora scenes-ttd --before

# Two processes: each test is too small for more threads of its own.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

golden: $(VENV)/.dev
	$(BIN)/python -m pytest tests/golden

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/unit/layers
	$(BIN)/python -m ttd_cli.reference --check docs/cli.md
	$(BIN)/python -m ttd_cli.benchmark_table --check docs/benchmarks.md

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.base
	$(BIN)/python -m ttd_cli.reference docs/cli.md
	$(BIN)/python -m ttd_cli.benchmark_table docs/benchmarks.md

# The pictures of README.md, docs/train.md and docs/tagclip.md, by the commands that stand beside them there.
pictures: $(VENV)/.base
	rm -rf .pictures
	$(BIN)/ttd demo --image examples/beach.png --text "a man with a red umbrella and two dogs on the beach" --out .pictures/demo
	$(BIN)/ttd masks --image examples/beach.png --tags "umbrella,dogs,boat,sea" --scales 0.75,1.0,1.5 --hflip --pamr --out .pictures/masks
	$(BIN)/ttd demo --image examples/beach.png --text "a man with a red umbrella and two dogs on the beach" --lora scenes-ttd --before --out .pictures/before
	$(BIN)/ttd demo --method tagclip --image examples/beach.png --tags "dog,cat,boat,car,sun,cloud,umbrella" --out .pictures/tagclip
	$(BIN)/ttd demo --method tagclip+clip-es --image examples/beach.png --tags "dog,cat,boat,car,sun,cloud,umbrella" --out .pictures/clip-es
	$(BIN)/ttd masks --method tagclip+clip-es --image examples/beach.png --classes examples/classes.txt --out .pictures/tagclip-masks
	$(BIN)/ttd demo --method tagclip --image examples/street.png --tags "dog,car,bus,house,tree,lamp,sky" --out .pictures/street
	$(BIN)/ttd demo --method tagclip --image examples/lake.png --tags "boat,bird,moon,sea,rock,woman,bench" --out .pictures/lake
	cp .pictures/street/sheets/street.png docs/pictures/tagclip-street.png
	cp .pictures/lake/sheets/lake.png docs/pictures/tagclip-lake.png
	cp .pictures/tagclip/sheets/beach.png docs/pictures/tagclip.png
	cp .pictures/clip-es/sheets/beach.png docs/pictures/clip-es.png
	cp .pictures/tagclip-masks/overlay/beach.png docs/pictures/tagclip-masks.png
	cp .pictures/demo/sheets/beach.png docs/pictures/demo.png
	cp .pictures/before/sheets/beach.png docs/pictures/before.png
	cp .pictures/masks/overlay/beach.png docs/pictures/masks.png
	rm -rf .pictures

bench: $(VENV)/.dev
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
