.PHONY: check lint types test lock run

check: lint types test

lint:
	python -m ruff check .
	python -m ruff format --check .

types:
	python -m mypy

test:
	python -m pytest

lock:  # in a fresh environment whose tests passed
	python -m tests.lock

run:
	python app.py
