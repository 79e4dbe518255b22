.PHONY: check lint types test run

check: lint types test

lint:
	python -m ruff check .
	python -m ruff format --check .

types:
	python -m mypy

test:
	python -m pytest

run:
	python app.py
