# make demo   set up and run the experiments     make test   set up and pass the tests
# make lab    open the tour in JupyterLab        make clean  leave nothing

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
TESTS ?= tests
NOTEBOOKS ?= failover

# Images of Python often switch bytecode off. A run starts a dozen processes, the tests some thousand, and each of them
# would compile what it imports anew, for about a second.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check bench strangers lab gallery constraints clean

demo: $(READY)
	@$(BIN)/workbench run tour auth_flow redis_pubsub failover scale --profile quick

test: $(READY)
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(TESTS)

check: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY)
	@test -x $(BIN)/locust || $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[services,dev,bench]'
	@status=0; for bench in tests/bench/[a-z]*.py; do $(BIN)/python $$bench || status=1; echo; done; exit $$status

# Public applications under test, and whether what comes out is what is known of them; scale takes as long again:
# make strangers NOTEBOOKS="failover scale"
strangers: $(READY)
	@$(BIN)/python examples/verdicts.py $(NOTEBOOKS)

# Jupyter refuses root unless it is allowed; in a container there is nobody else.
lab: $(READY)
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/tour.ipynb

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv (once, a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[services,dev,examples]'
	@touch $(READY)

# The run that is kept, with its record but without what is derived from it, and the picture at the top of the README.
gallery: $(READY)
	@$(BIN)/workbench run --all --profile quick
	@find outputs/gallery -mindepth 1 -maxdepth 1 ! -name '*.md' ! -name '*.png' -exec rm -rf {} +
	@cp -R outputs/latest/. outputs/gallery
	@find outputs/gallery \( -name '*.html' -o -name junit.xml -o -name summary.md \) -delete
	@$(BIN)/workbench verify outputs/gallery
	@$(BIN)/python -c 'import base64, json; \
		cells = json.load(open("outputs/gallery/tour/notebook.ipynb"))["cells"]; \
		pictures = [o["data"]["image/png"] for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]; \
		open("outputs/gallery/tour.png", "wb").write(base64.b64decode(pictures[0]))'

# Pin what is installed now.
constraints: $(READY)
	@$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

clean:
	@test ! -x $(BIN)/workbench || $(BIN)/workbench clean --outputs
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
