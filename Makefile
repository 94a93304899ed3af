# Two commands do everything: `make serve` (everything running) and `make test`. What each needs is fetched the first time.
.POSIX:
.PHONY: serve test screenshots

UV = scripts/uv

serve:
	$(UV) sync --locked --extra engine --inexact
	$(UV) run --no-sync andrum serve

test:
	scripts/test

# The pictures in docs/, made anew.
screenshots:
	$(UV) sync --locked --extra engine --group test --inexact
	scripts/system-packages
	$(UV) run --no-sync python scripts/screenshots.py
