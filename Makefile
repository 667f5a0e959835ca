# `make` alone lists the targets. Without make, see "Plain commands" in README.md.
.DEFAULT_GOAL := help
PYTHON ?= python3
# Jupyter reads notebooks in the system's encoding, unless it is told that all text is UTF-8.
export PYTHONUTF8 := 1
# Windows has its programs in another folder of the virtual environment.
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)

# What is linted: not your notebook, nor modules of your own beside it.
CODE := helpers.py nbgrader_config.py kit checks practice teacher benchmarks docs tests

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s @ 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1: \2/p' Makefile

run: .venv/run.stamp ## run the notebook from top to bottom and save its outputs
	$(BIN)/python -m jupyter execute --inplace assignment.ipynb
	@echo "Done: open assignment.ipynb (make lab), or make report; photos are in images/, thumbnails in thumbnails/."

lab: .venv/run.stamp ## open the notebook in JupyterLab
	$(BIN)/python -m jupyter lab assignment.ipynb

report: .venv/run.stamp ## write the saved notebook to assignment.html
	$(BIN)/python -m jupyter nbconvert --to html --log-level WARN assignment.ipynb \
	  --template report --TemplateExporter.extra_template_basedirs=docs
	@echo "Done: open assignment.html in a browser."

submission: .venv/run.stamp ## write submission.zip, what you hand in
	@$(BIN)/python -m checks.submission

test: .venv/test.stamp ## lint and run the tests
	$(BIN)/python -m ruff check $(CODE)
	$(BIN)/python -m ruff format --check $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest

bench: .venv/bench.stamp ## measure beside other tools, and write benchmarks/*.md (takes long; PARTS="downloads" for some)
	$(BIN)/python -m benchmarks $(PARTS)

class: .venv/run.stamp ## read the submissions of a class: make class FROM=folder (for teachers)
	@test -n "$(FROM)" || { echo "Say where they are: make class FROM=folder"; exit 1; }
	$(BIN)/python -m teacher.class_report "$(FROM)"

grade: .venv/teacher.stamp ## grade what lies in submitted/ (for teachers)
	$(BIN)/python -m teacher.grade

student: .venv/teacher.stamp ## build release/assignment/, the students' version (for teachers)
	$(BIN)/python teacher/release.py

clean: ## delete photos, thumbnails, caches, report and submission.zip; keep config.ini, grades and the virtual environment
	rm -rf cache images/*.jpg thumbnails/*.jpg assignment.html submission*.zip .pytest_cache .ruff_cache .hypothesis

.venv/run.stamp: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/test.stamp: requirements-test.txt requirements-cluster.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

# img2dataset needs older packages than the notebook, so it gets an environment of its own. Where it can't be installed,
# the tables say so.
.venv/bench.stamp: requirements-bench.txt requirements-cluster.txt requirements-teacher.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	-$(PYTHON) -m venv .venv-img2dataset
	-$(subst .venv,.venv-img2dataset,$(BIN))/python -m pip install --quiet --disable-pip-version-check "img2dataset~=1.47"
	@touch $@

.venv/teacher.stamp: requirements-teacher.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-teacher.txt
	@touch $@

.PHONY: help run lab report submission test bench class grade student clean
