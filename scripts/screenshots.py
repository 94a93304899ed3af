"""The pictures in docs/screenshots/: the page as a phone shows it, made from the real thing. `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, CHROMIUM  # noqa: E402
from tests.conftest import start_andrum  # noqa: E402

PHONE = {"width": 360, "height": 740}
SAID = {"en": "he says I owe 8000 euro and takes all what I earn", "ar": "ماذا يحدث بعد ثلاثين يوما؟"}


def main() -> None:
    """Start Andrum, visit it in each language, keep what is seen."""
    folder = ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    running = start_andrum()
    running.wait_for("engine ready")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for tag, text in SAID.items():
                page = browser.new_page(viewport=PHONE, locale=tag, device_scale_factor=2)
                page.goto(running.url)
                page.screenshot(path=folder / f"first-contact-{tag}.png")
                page.fill("#text", text)
                page.click(".send")
                page.wait_for_selector(".hers ~ .said:not(.hers)")
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"answer-{tag}.png")
            browser.close()
    finally:
        running.stop()


if __name__ == "__main__":
    main()
