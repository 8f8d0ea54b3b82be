# Everything a newcomer needs: `make demo` and `make test`. Both set up `.venv` first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test bench clean

demo: .venv/runtime
	$(BIN)/trialscrape parse fixtures/pages -o output/trials.jsonl
	$(BIN)/trialscrape show fixtures/pages/two-arms-loose-criteria.txt
	@rm -f output/trialscrape.db*
	@echo "scraping two ids from the project's replica of the site, over HTTP"
	@$(BIN)/python -m trialscrape.replica fixtures/site --port 8798 & replica=$$!; trap "kill $$replica" EXIT; sleep 1; \
	$(BIN)/trialscrape scrape NCT99000001 NCT99000033 --site $(REPLICA) --registry $(REPLICA) -o output/scraped.jsonl
	@cat output/scraped.outcomes.jsonl

REPLICA := http://127.0.0.1:8798

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --cov --cov-report=term

bench: .venv/bench
	$(BIN)/python -m bench

clean:
	rm -rf .venv output/*

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

.venv/bench: .venv/dev
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@
