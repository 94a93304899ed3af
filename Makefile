# Two commands do everything: `make serve` (everything running) and `make test`. What each needs is fetched the first time.
.POSIX:
.PHONY: serve test screenshots

serve:
	scripts/sync --quiet --extra engine --inexact
	scripts/uv run --no-sync andrum serve

test:
	scripts/test

# The pictures in docs/, made anew.
screenshots:
	scripts/system-packages
	scripts/sync --quiet --extra engine --group test --inexact
	scripts/uv run --no-sync python scripts/screenshots.py
