# Everything a newcomer needs: `make demo` and `make test`. Both set up `.venv` first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo check test lowest fuzz accuracy mutants docs bench clean

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

# Small changes of one module, and which of them no test notices: `make mutants MODULE=parsing/arms SAMPLE=120`.
SAMPLE ?= 120
mutants: .venv/dev
	$(BIN)/python -m bench.mutants $(MODULE) --sample $(SAMPLE)

# The site of the docs, in output/site; a link to nowhere fails.
docs: .venv/dev
	$(BIN)/zensical build --clean --strict

bench: .venv-bench/all
	.venv-bench/bin/python -m bench

clean:
	rm -rf .venv .venv-lowest .venv-bench output/demo

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
