# schedd's machinery; `make` alone says what there is. The work is in .ci/, in short scripts.

VENV := .venv
BIN := $(VENV)/bin
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
SECONDS ?= 60
ONLY ?=
SEED ?=
# What decides what has to be installed; a change of the code does not.
DECLARED := setup.cfg setup.py

.DEFAULT_GOAL := help
.PHONY: help run test torture check format bench soak install uninstall deb dist clean

help:
	@echo 'make run        start schedd from here, on the scripts in etc/scripts; ^C stops it'
	@echo 'make test       run all tests (ARGS="-k wheel -x" goes to pytest)'
	@echo 'make torture    kill it at random for SECONDS=60, and prove that no slot is lost or doubled (SEED=)'
	@echo 'make check      formatting, lint, types, import rules, style rules, then all tests'
	@echo 'make format     format the code, and mend what can be mended'
	@echo 'make bench      measure, and write bench/RESULTS.md (ONLY=burst,ledger measures only these parts)'
	@echo 'make soak       50 fires a second for SECONDS=60: does it grow, is a slot lost? (ARGS=--keep-results)'
	@echo 'make install    put schedd, its unit and its directories into the system (DESTDIR, PREFIX=/usr/local)'
	@echo 'make uninstall  take them out again; your configuration, scripts and history stay'
	@echo 'make deb        build the Debian package, with all that it needs but Node.js, into dist/ (EXTRAS=node)'
	@echo 'make dist       build the wheel and the source distribution into dist/'
	@echo 'make clean      remove what these made here'
	@echo
	@echo 'Everything needed is installed into .venv; the first time takes a minute.'

run: $(VENV)/.run
	@exec .ci/run.sh $(VENV)

test: $(VENV)/.test
	@without=$$(.ci/browser.sh) && exec $(BIN)/python -X dev -m pytest $$without $(ARGS)

torture: $(VENV)/.test
	@exec $(BIN)/python -X dev -m tests.torture --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# The quickest to fail come first; pytest's summary comes last.
check: $(VENV)/.test
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_tidy.py
	@$(MAKE) --no-print-directory test

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test
	@exec $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

soak: $(VENV)/.test
	@exec $(BIN)/python -m bench.soak --seconds $(SECONDS) $(ARGS)

install uninstall:
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) exec .ci/install.sh $@

deb:
	@.ci/need.sh dpkg-deb dpkg
	@exec .ci/deb.sh dist

dist: $(VENV)/.test
	@exec .ci/dist.sh $(BIN)/python dist

clean:
	rm -rf $(VENV) var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each of the two environments; the second holds the first.
$(VENV)/.run: $(DECLARED)
	@.ci/venv.sh $(VENV) node
	@touch $@

$(VENV)/.test: $(DECLARED)
	@.ci/need.sh systemctl systemd nsenter util-linux pgrep procps bash bash faketime faketime openssl openssl \
		dpkg-deb dpkg man man-db groff groff-base curl curl script bsdutils cc 'gcc libc6-dev'
	@.ci/venv.sh $(VENV) node,dev
	@touch $@ $(VENV)/.run
