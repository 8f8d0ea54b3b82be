# Everything a newcomer needs: `make demo` and `make test`. Both set up `.venv` first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TOOLS := .venv-release/tools/bin

.PHONY: demo check test lowest fuzz accuracy mutants commands docs notebook bench release clean

# Everything it writes is in output/demo.
demo: .venv/runtime
	@mkdir -p output/demo
	$(BIN)/trialscrape parse fixtures/pages -o output/demo/trials.jsonl
	$(BIN)/trialscrape show fixtures/pages/two-arms-loose-criteria.txt
	@echo "scraping two ids from the project's replica of the site, over HTTP"
	@rm -f output/demo/trialscrape.db* output/demo/replica.log
	@$(BIN)/python -m trialscrape.testing.replica fixtures/site --port 0 > output/demo/replica.log & replica=$$!; trap "kill $$replica" EXIT; \
	until grep -qs serving output/demo/replica.log; do kill -0 $$replica && sleep 0.1 || exit 1; done; \
	url=$$(sed -n 's/^serving //p' output/demo/replica.log); \
	$(BIN)/trialscrape scrape NCT99000001 NCT99000033 --site $$url --registry $$url --store output/demo/trialscrape.db -o output/demo/scraped.jsonl
	@cat output/demo/scraped.outcomes.jsonl

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m 'not slow'

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term

# The quick tests with the lowest versions that pyproject.toml allows.
lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable .
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --group test
	.venv-lowest/bin/pytest -m 'not slow' --deselect tests/parsing/test_calls.py  # which counts the calls of today's pydantic too

fuzz: .venv/dev
	$(BIN)/python tests/fuzz.py --seconds 60

# Registry studies and invented ones, to pages, to records: how many values are right. A minute on two cores.
STUDIES ?= 5000
accuracy: .venv/dev
	$(BIN)/python -m bench.accuracy --studies $(STUDIES)

# docs/commands.md and the picture of `show`, after a change of a help or of what `show` prints.
commands: .venv/dev
	$(BIN)/python tests/command_docs.py

# Small changes of one module, and which of them no test notices: `make mutants MODULE=parsing/arms SAMPLE=120`.
SAMPLE ?= 120
mutants: .venv/dev
	$(BIN)/python -m bench.mutants $(MODULE) --sample $(SAMPLE)

# The site of the docs, in output/site; a link to nowhere fails.
docs: .venv/dev
	$(BIN)/zensical build --clean --strict

# The outputs of the notebook of the docs; tests/test_notebook.py compares them.
notebook: .venv/dev
	cd docs && ../$(BIN)/python -c "import nbclient, nbformat; \
	notebook = nbclient.NotebookClient(nbformat.read('notebook.ipynb', 4), record_timing=False).execute(); \
	nbformat.write(notebook, 'notebook.ipynb')"

# What is published, in dist: source and wheel, checked and tried in fresh environments, and the list of what the wheel needs (SBOM).
EXTRAS ?= pandas,parquet,polars,ray,warc,xlsx
release: .venv-release/tools
	rm -rf dist .venv-release/plain .venv-release/extras output/release
	$(TOOLS)/python -m build
	$(TOOLS)/twine check --strict dist/*
	tar -tzf dist/*.tar.gz | grep -c -E '^[^/]+/(docs|tests|fixtures)/'
	! tar -tzf dist/*.tar.gz | grep -E '_cache|\.pyc$$|\.ipynb_checkpoints|/output/.*[^/]$$' | grep -v '/output/.gitkeep'
	$(PYTHON) -m venv --without-pip .venv-release/plain
	$(PYTHON) -m venv --without-pip .venv-release/extras
	$(TOOLS)/python -m pip --python .venv-release/plain/bin/python install --quiet dist/*.whl
	$(TOOLS)/python -m pip --python .venv-release/extras/bin/python install --quiet "$$(ls dist/*.whl)[$(EXTRAS)]"
	mkdir -p output/release
	for each in plain extras; do \
		.venv-release/$$each/bin/trialscrape --version && \
		.venv-release/$$each/bin/trialscrape parse fixtures/pages/saved.html -o output/release/$$each.jsonl || exit 1; done
	.venv-release/extras/bin/trialscrape parse fixtures/pages/saved.html -o output/release/trials.parquet
	.venv-release/extras/bin/trialscrape parse fixtures/pages/saved.html -o output/release/trials.xlsx
	@# It says where on this machine the wheel lay.
	rm .venv-release/plain/lib/python*/site-packages/trialscrape-*.dist-info/direct_url.json
	$(TOOLS)/cyclonedx-py environment .venv-release/plain/bin/python --mc-type library --short-PURLs --output-reproducible \
		-o dist/$$(basename dist/*.tar.gz .tar.gz).cdx.json
	! grep -E 'file://|$(CURDIR)' dist/*.cdx.json

bench: .venv-bench/all
	.venv-bench/bin/python -m bench

clean:
	rm -rf .venv .venv-lowest .venv-bench .venv-release dist output/demo output/release

.venv/pip:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

.venv/runtime: .venv/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev: .venv/runtime
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

# Of its own: what we compare with pins older versions of what we use.
.venv-bench/all: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-bench/bin/python -m pip install --quiet --editable . --group bench
	@touch $@

.venv-release/tools: pyproject.toml
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$@/bin/python -m pip install --quiet --group release
	@touch $@
