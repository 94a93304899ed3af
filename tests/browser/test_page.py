"""The page in a real browser: leaving, leaving nothing behind, being read by everybody.

Road: visitor → page → edge → engine, all of it running. The numbers in brackets are the promises of docs/threat-model.md.
A dialog, or a word of hers that survives where it must not, is never a cosmetic fault here.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, Playwright, Route, expect

from .conftest import ARGUMENTS, CHROMIUM, NOT_WANTED, Open, Visit

pytestmark = pytest.mark.browser

HERS = "kanariekvarn"  # what she sent
DRAFT = "utkastfagel"  # what she had begun to write
LARGEST_PAGE = 60_000
WIDTHS = [(320, 568), (360, 740), (412, 915), (768, 1024), (1280, 800), (1920, 1080)]
ZOOMED = (320, 200)  # 1280 x 800 at 400 %
KEYBOARD = (360, 380)  # what is left of a phone's screen while she types
# Must not stand in the title, the path, the icon or the names of the files.
TELLING = re.compile(
    r"traffick|exploit|victim|abuse|prostit|escort|slave|violence|police|refug|asyl|help|rights|människohandel|utnyttj|"
    r"offer|våld|polis|hjälp|trafic|exploat|victim|abuz|violen|ajutor|drept|اتجار|استغلال|ضحي|عنف|شرط|مساعد|حقوق|andrum",
    re.IGNORECASE,
)
# A visitor's own language: (tag, direction, its name on the page, two messages).
LANGUAGES = [
    ("ro", "ltr", "Română", ("Ce este perioada de reflecție?", "Șeful mi-a luat pașaportul")),
    ("ar", "rtl", "العربية", ("ما هي فترة التفكير لمدة 30 يوما؟", "صاحب العمل أخذ جواز سفري")),
]

# ways out ------------------------------------------------------------------------------------------------------------


def _press_leave(page: Page) -> None:
    page.click(".leave")


def _press_hidden_link(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.focus(".skip[data-leave]")
    page.keyboard.press("Enter")


def _press_shift(page: Page) -> None:
    for _ in range(3):
        page.keyboard.press("Shift")


def _stay(route: Route) -> None:
    """An exit address that answers nothing (204): the browser stays, and the test sees what is left of the page."""
    route.fulfill(status=204)


WAYS_OUT = [_press_leave, _press_hidden_link, _press_shift]


def _conversation(visit: Visit) -> None:
    visit.write(HERS)
    visit.page.fill("#text", DRAFT)
    assert visit.holds(HERS, DRAFT) == [HERS, DRAFT]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_leaving_takes_every_word_away_and_replaces_the_page(
    visit: Open, neutral_url: str, way: Callable[[Page], None]
) -> None:
    """[P1]"""
    one = visit()
    _conversation(one)
    before = one.page.evaluate("history.length")
    way(one.page)
    one.page.wait_for_url(f"{neutral_url}/")
    assert one.page.evaluate("history.length") == before
    assert one.page.evaluate("document.referrer") == ""
    forgotten = [request for request in one.requests if request.url.endswith("/forget")]
    assert len(forgotten) == 1


SHIFT = """() => {
  for (let press = 0; press < 3; press += 1) {
    for (const kind of ['keydown', 'keyup']) dispatchEvent(new KeyboardEvent(kind, { key: 'Shift' }));
  }
}"""


@pytest.mark.parametrize(
    "way",
    ["() => document.querySelector('.leave').click()", "() => document.querySelector('.skip').click()", SHIFT],
    ids=["link", "hidden link", "shift"],
)
def test_the_words_are_gone_before_the_network_answers(visit: Open, way: str) -> None:
    """[P1] In the same moment as the click: the exit address may be slow. The server is told which conversation to forget."""
    one = visit()
    _conversation(one)
    after = one.page.evaluate(
        """(way) => {
          const sent = [];
          navigator.sendBeacon = (path, body) => sent.push([path, body.type, body.size]);
          const started = performance.now();
          way();
          return { milliseconds: performance.now() - started, sent, html: document.documentElement.outerHTML,
            text: document.body.innerText, nodes: document.body.children.length };
        }""".replace("way();", f"({way})();")
    )
    assert HERS not in after["html"]
    assert DRAFT not in after["html"]
    assert after["nodes"] == 1
    assert after["text"].strip()
    assert after["milliseconds"] < 100
    [[path, kind, size]] = after["sent"]
    assert (path, kind) == ("/forget", "application/json")
    assert size == len(json.dumps({"conversation": "x" * 32}, separators=(",", ":")))


def _server_remembers(one: Visit, token: str, andrum_url: str) -> bool:
    """Whether the conversation is still in Romanian there; a forgotten one begins anew, in the browser's language."""
    answer = one.page.context.request.post(
        f"{andrum_url}/say",
        data={"conversation": token, "choice": "ask_rights"},
        headers={"Accept-Language": "en"},
    )
    return bool(answer.json()["language"] == "ro")


def _token_of_a_romanian_conversation(one: Visit, place: Page | FrameLocator) -> str:
    with one.page.expect_response("**/say") as response:
        place.locator("button[value=ro]").click()
    expect(place.locator("html")).to_have_attribute("lang", "ro")
    return str(response.value.json()["conversation"])


@pytest.mark.parametrize("way", WAYS_OUT)
def test_leaving_makes_the_server_forget(visit: Open, andrum_url: str, neutral_url: str, way: Callable[[Page], None]) -> None:
    """[P1]"""
    one = visit()
    token = _token_of_a_romanian_conversation(one, one.page)
    assert _server_remembers(one, token, andrum_url)
    way(one.page)
    one.page.wait_for_url(f"{neutral_url}/")
    one.page.wait_for_timeout(300)
    assert not _server_remembers(one, token, andrum_url)


def test_leaving_without_javascript_is_a_link(visit: Open, neutral_url: str) -> None:
    """[P1]"""
    one = visit(javascript=False)
    one.page.click(".leave")
    assert one.page.url == f"{neutral_url}/"
    again = visit(javascript=False)
    again.page.focus(".skip[href='/leave']")
    again.page.keyboard.press("Enter")
    again.page.wait_for_url(f"{neutral_url}/")


def test_shift_counts_only_alone_and_within_five_seconds(visit: Open) -> None:
    """[P1] Capital letters must not throw her out in the middle of a sentence."""
    one = visit(load=False)
    one.page.clock.install()
    one.page.goto(_address(visit))
    one.page.focus("#text")
    for letter in "ANAX":
        one.page.keyboard.press(f"Shift+{letter}")
    one.page.keyboard.press("Shift")
    one.page.keyboard.press("Shift")
    one.page.keyboard.press("a")
    one.page.keyboard.press("Shift")
    one.page.clock.run_for(5_100)
    one.page.keyboard.press("Shift")
    one.page.keyboard.press("Shift")
    assert one.page.input_value("#text") == "ANAXa"


def _address(visit: Open) -> str:
    """The page's own address, from a visit that loads it."""
    return visit().page.url


def _go(page: Page, step: int) -> None:
    """Back or forward. Playwright's own waits for a `load` that a page out of the back-forward cache never has."""
    page.evaluate("(step) => { setTimeout(() => history.go(step)); }", step)
    page.wait_for_timeout(700)


@pytest.mark.parametrize("way", WAYS_OUT)
def test_back_and_forward_after_leaving_show_nothing(
    visit: Open, andrum_url: str, neutral_url: str, way: Callable[[Page], None]
) -> None:
    """[P2] With the back-forward cache on."""
    one = visit(load=False)
    one.page.goto(f"{neutral_url}/before")
    one.page.goto(andrum_url)
    _conversation(one)
    way(one.page)
    one.page.wait_for_url(f"{neutral_url}/")
    for step in [-1] * 3 + [1] * 3:
        _go(one.page, step)
        assert one.holds(HERS, DRAFT) == []
        assert not one.page.url.startswith(andrum_url)


def test_going_elsewhere_and_back_shows_nothing_either(visit: Open, andrum_url: str, neutral_url: str) -> None:
    """[P2] She typed another address instead of leaving; somebody presses Back."""
    one = visit()
    _conversation(one)
    one.page.evaluate("(address) => { location.href = address; }", f"{neutral_url}/elsewhere")
    one.page.wait_for_url(f"{neutral_url}/elsewhere")
    _go(one.page, -1)
    assert one.holds(HERS, DRAFT) == []
    if one.page.url.startswith(andrum_url):
        expect(one.page.locator(".hers")).to_have_count(0)


@pytest.mark.parametrize("end", ["leave", "quit", "kill"])
def test_nothing_of_hers_is_on_the_disk(
    playwright: Playwright, andrum_url: str, neutral_url: str, tmp_path: Path, end: str
) -> None:
    """[P3] The whole profile, however the browser ends. That the page was visited stays in its history, always."""
    profile = tmp_path / "profile"
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=ARGUMENTS, ignore_default_args=NOT_WANTED
    )
    one = Visit(context.pages[0])
    one.page.goto(andrum_url)
    _conversation(one)
    one.page.wait_for_timeout(3_000)  # chromium writes open tabs to the disk every few seconds
    if end == "leave":
        one.page.click(".leave")
        one.page.wait_for_url(f"{neutral_url}/")
    if end == "kill":
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # the first to go takes others with it
                if any(str(profile) in word for word in process.cmdline()):
                    process.kill()
        time.sleep(1)
    else:
        context.close()
    held = b"\n".join(path.read_bytes() for path in profile.rglob("*") if path.is_file())
    assert end == "kill" or andrum_url.encode() in held  # the search does find what is there
    for word in (HERS, DRAFT):
        assert word.encode() not in held
        assert word.encode("utf-16-le") not in held
    shutil.rmtree(profile)


# traces ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["sv-SE", "en-GB", "ro-RO", "ar"])
def test_title_path_and_icon_tell_nothing(visit: Open, locale: str) -> None:
    """[P4] One address, one entry in the history, whatever she does."""
    one = visit(locale=locale)
    before = one.page.evaluate("history.length")
    one.page.focus("#skip")
    one.page.keyboard.press("Enter")
    assert one.page.evaluate("document.activeElement.id") == "text"
    one.page.click("#globe")
    one.page.locator(".choices button").first.click()
    one.answered()
    one.write(HERS)
    one.page.click("button[value=ro]")
    expect(one.page.locator("html")).to_have_attribute("lang", "ro")
    assert one.page.evaluate("history.length") == before
    assert urlsplit(one.page.url)[2:] == ("/", "", "")
    seen = [one.page.title(), one.page.inner_text("h1"), *(urlsplit(request.url).path for request in one.requests)]
    icon = one.page.get_attribute("link[rel=icon]", "href") or ""
    seen.append(one.page.request.get(one.page.url.rstrip("/") + icon).text())
    assert [text for text in seen if TELLING.search(text)] == []
    assert not any(HERS in request.url for request in one.requests)


def test_nothing_is_stored_and_a_reload_is_a_new_conversation(visit: Open) -> None:
    """[P5]"""
    one = visit()
    _conversation(one)
    stored = one.page.evaluate(
        """async () => [document.cookie.length, localStorage.length, sessionStorage.length,
          (await indexedDB.databases()).length, (await caches.keys()).length,
          (await navigator.serviceWorker.getRegistrations()).length, JSON.stringify(history.state)]"""
    )
    assert stored == [0, 0, 0, 0, 0, 0, "null"]
    assert one.page.context.cookies() == []
    assert one.page.context.storage_state() == {"cookies": [], "origins": []}
    one.page.reload()
    assert one.holds(HERS, DRAFT) == []
    assert one.page.input_value("#composer [name=conversation]") == ""
    assert one.problems == []


def test_no_other_place_is_asked(visit: Open, andrum_url: str) -> None:
    """[P6] And everything together is small enough for a poor connection."""
    sizes: dict[str, int] = {}
    one = visit(load=False)
    one.page.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    one.page.goto(andrum_url)
    _conversation(one)
    assert {f"{urlsplit(request.url).scheme}://{urlsplit(request.url).netloc}" for request in one.requests} == {andrum_url}
    assert sum(sizes.values()) + len(one.page.request.get(f"{andrum_url}/widget.js").body()) < LARGEST_PAGE
    assert one.problems == []


def test_the_browser_is_told_to_keep_its_hands_off_the_text(visit: Open) -> None:
    """[P6] No spell check, no completion, no translation by others."""
    page = visit().page
    wanted = {"autocomplete": "off", "spellcheck": "false", "autocorrect": "off", "autocapitalize": "off", "translate": "no"}
    assert {name: page.get_attribute("#text", name) for name in wanted} == wanted
    assert page.get_attribute("html", "translate") == "no"
    assert page.get_attribute("meta[name=google]", "content") == "notranslate"
    assert page.get_attribute("meta[name=referrer]", "content") == "no-referrer"
    for link in page.locator("a").all():
        assert set((link.get_attribute("rel") or "").split()) >= {"noreferrer", "noopener"}
    for form in page.locator("form").all():
        assert form.get_attribute("method") == "post"
        assert form.get_attribute("autocomplete") == "off"


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("locale", ["sv-SE", "en-GB", "ro-RO", "ar"])
def test_she_is_warned_before_the_first_message(visit: Open, locale: str, javascript: bool) -> None:
    """[P7]"""
    page = visit(locale=locale, javascript=javascript).page
    expect(page.locator("[data-word=history_note]:visible")).not_to_be_empty()
    expect(page.locator("[data-word=machine_note]:visible")).not_to_be_empty()


# always in view -------------------------------------------------------------------------------------------------------

IN_VIEW = """(link) => {
  const box = link.getBoundingClientRect();
  const points = [[.5, .5], [.1, .2], [.9, .2], [.1, .8], [.9, .8]];
  return {
    tall: box.height >= 44, wide: box.width >= 44,
    inside: box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight,
    free: points.every(([x, y]) =>
      link.contains(document.elementFromPoint(box.left + x * box.width, box.top + y * box.height))),
  };
}"""


def _always_there(page: Page) -> None:
    for link in ("a.leave", ".bar a.emergency"):
        assert page.eval_on_selector(link, IN_VIEW) == {"tall": True, "wide": True, "inside": True, "free": True}
    assert page.get_attribute(".bar a.emergency", "href") == "tel:112"


@pytest.mark.parametrize("locale", ["en-GB", "ro-RO", "ar"])
@pytest.mark.parametrize("size", [*WIDTHS, ZOOMED, KEYBOARD])
def test_exit_and_emergency_number_are_never_out_of_reach(visit: Open, size: tuple[int, int], locale: str) -> None:
    """[P1, P12] One tap, at every width, at 400 % zoom, with the keyboard up, in both directions of writing."""
    one = visit(width=size[0], height=size[1], locale=locale)
    _always_there(one.page)
    one.write("x" * 300 + " " + HERS)
    for share in (0, 0.5, 1):
        one.page.evaluate("(share) => scrollTo(0, share * document.documentElement.scrollHeight)", share)
        _always_there(one.page)
    one.page.fill("#text", "many lines\n" * 20)
    _always_there(one.page)
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = one.page.evaluate(
        """[...document.querySelectorAll('a, button, summary, textarea')].filter((each) => each.checkVisibility())
          .filter((each) => !each.matches('.skip, .words a:not([href^="tel:"]):not([href^="sms:"])'))
          .filter((each) => each.getBoundingClientRect().height < 44).map((each) => each.outerHTML)"""
    )
    assert small == []


def test_the_field_leaves_room_to_read_above_the_keyboard(visit: Open) -> None:
    one = visit(width=KEYBOARD[0], height=KEYBOARD[1])
    one.page.fill("#text", "many lines\n" * 20)
    bar, foot = one.page.locator(".bar").bounding_box(), one.page.locator(".foot").bounding_box()
    assert bar
    assert foot
    assert foot["y"] - (bar["y"] + bar["height"]) > 0.35 * KEYBOARD[1]


@pytest.mark.parametrize("locale", ["en-GB", "ar"])
def test_pinch_zoom_keeps_the_bar_in_view(visit: Open, locale: str) -> None:
    """[P1] The bar moves with the part of the page that is seen."""
    one = visit(locale=locale, is_mobile=True, has_touch=True)
    one.write(HERS)
    one.page.context.new_cdp_session(one.page).send("Emulation.setPageScaleFactor", {"pageScaleFactor": 3})
    expect(one.page.locator(".bar")).to_have_attribute("style", re.compile("scale"))
    seen = one.page.evaluate(
        """() => [...document.querySelectorAll('a.leave, .bar a.emergency')].map((link) => {
          const box = link.getBoundingClientRect(); const view = visualViewport;
          return box.left >= view.offsetLeft - 1 && box.top >= view.offsetTop - 1
            && box.right <= view.offsetLeft + view.width + 1 && box.bottom <= view.offsetTop + view.height + 1; })"""
    )
    assert seen == [True, True]


@pytest.mark.parametrize("moment", ["first", "waiting", "failed", "erased", "without javascript"])
def test_the_emergency_number_is_one_tap_away(visit: Open, moment: str) -> None:
    """[P12]"""
    one = visit(javascript=moment != "without javascript")
    if moment == "waiting":
        one.page.route("**/say", lambda route: None)
        one.page.fill("#text", HERS)
        one.page.click(".send")
        expect(one.page.locator(".waiting")).to_be_visible()
    if moment == "failed":
        one.page.route("**/say", lambda route: route.abort())
        one.page.fill("#text", HERS)
        one.page.click(".send")
        expect(one.page.locator(".notice a.emergency")).to_have_attribute("href", "tel:112")
    if moment == "erased":
        one.write(HERS)
        one.page.click(".erase button")
        expect(one.page.locator(".hers")).to_have_count(0)
    if moment == "without javascript":
        one.page.fill("#text", HERS)
        one.page.click(".send")
    expect(one.page.locator(".bar a.emergency")).to_have_attribute("href", "tel:112")
    expect(one.page.locator(".bar a.emergency")).to_be_in_viewport(ratio=1)


# left alone -----------------------------------------------------------------------------------------------------------

HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def timed(visit: Open, andrum_url: str) -> Visit:
    """A conversation on a page whose clock the test moves."""
    one = visit(load=False)
    one.page.clock.install()
    one.page.goto(andrum_url)
    _conversation(one)
    return one


def _forgotten(one: Visit) -> bool:
    return any(request.url.endswith("/forget") for request in one.requests)


def test_ten_idle_minutes_blank_the_page(timed: Visit, neutral_url: str) -> None:
    """[P13]"""
    timed.page.clock.run_for(9 * 60_000)
    assert timed.holds(HERS, DRAFT) == [HERS, DRAFT]
    timed.page.keyboard.press("ArrowLeft")
    timed.page.clock.run_for(9 * 60_000)
    assert timed.holds(HERS, DRAFT) == [HERS, DRAFT]
    timed.page.clock.run_for(70_000)
    timed.page.wait_for_url(f"{neutral_url}/")
    assert _forgotten(timed)


def test_two_hidden_minutes_blank_the_page(timed: Visit, neutral_url: str) -> None:
    """[P13]"""
    timed.page.evaluate(HIDE, True)
    timed.page.clock.run_for(110_000)
    assert timed.holds(HERS) == [HERS]
    timed.page.clock.run_for(15_000)
    timed.page.wait_for_url(f"{neutral_url}/")
    assert _forgotten(timed)


def test_a_phone_that_stopped_the_timers_blanks_before_it_shows(timed: Visit, neutral_url: str) -> None:
    """[P13] Timers of a hidden page may never run; nothing may be seen when it comes back."""
    timed.page.evaluate(HIDE, True)
    expect(timed.page.locator(".hers")).to_be_hidden()
    timed.page.clock.set_system_time(time.time() + 3600)
    timed.page.route("**/leave", _stay)
    timed.page.evaluate(HIDE, False)
    assert timed.holds(HERS, DRAFT) == []
    assert _forgotten(timed)


def test_a_short_look_elsewhere_keeps_the_conversation(timed: Visit) -> None:
    timed.page.evaluate(HIDE, True)
    timed.page.clock.run_for(60_000)
    timed.page.evaluate(HIDE, False)
    expect(timed.page.locator(".hers")).to_be_visible()


# the conversation -----------------------------------------------------------------------------------------------------


def _last_answer_language(page: Page) -> tuple[str | None, str | None]:
    words = page.locator(".hers").last.locator("xpath=following-sibling::article[1]").locator(".words")
    return words.get_attribute("lang"), words.get_attribute("dir")


@pytest.mark.parametrize(("tag", "direction", "name", "messages"), LANGUAGES, ids=["ro", "ar"])
def test_a_whole_conversation(visit: Open, tag: str, direction: str, name: str, messages: tuple[str, str]) -> None:
    """With JavaScript, from a browser in another language."""
    one = visit(locale="sv-SE", width=320, height=568)
    page = one.page
    swedish = page.inner_text(".send")
    page.get_by_role("button", name=name).click()
    expect(page.locator("html")).to_have_attribute("lang", tag)
    expect(page.locator("html")).to_have_attribute("dir", direction)
    expect(page.locator(f"#languages [lang={tag}]")).to_have_attribute("aria-current", "true")
    assert page.inner_text(".send") != swedish
    for message in messages:
        one.write(message)
        assert _last_answer_language(page) == (tag, direction)
    expect(page.locator(".hers .words").last).to_have_text(messages[1])
    label = page.locator(".choices button").first.inner_text()
    page.locator(".choices button").first.click()
    one.answered()
    expect(page.locator(".hers .words").last).to_have_text(label)
    assert _last_answer_language(page) == (tag, direction)
    for number in page.locator("#log a[href^='tel:']").all():
        assert number.evaluate("(link) => getComputedStyle(link).direction") == "ltr"
    edge = page.locator("#log .said:not(.hers) p").last.evaluate("(p) => getComputedStyle(p).direction")
    assert edge == direction
    page.click(".erase button")
    expect(page.locator(".hers")).to_have_count(0)
    assert one.holds(*messages) == []
    expect(page.locator("#log .said")).not_to_have_count(0)
    expect(page.locator("html")).to_have_attribute("lang", tag)
    assert one.problems == []


@pytest.mark.parametrize(("tag", "direction", "name", "messages"), LANGUAGES, ids=["ro", "ar"])
def test_a_whole_conversation_without_javascript(
    visit: Open, tag: str, direction: str, name: str, messages: tuple[str, str]
) -> None:
    one = visit(locale="sv-SE", width=320, height=568, javascript=False)
    page = one.page
    page.get_by_role("button", name=name).click()
    expect(page.locator("html")).to_have_attribute("lang", tag)
    expect(page.locator("html")).to_have_attribute("dir", direction)
    for message in messages:
        page.fill("#text", message)
        page.click(".send")
        expect(page.locator(".hers .words").last).to_have_text(message)
        assert _last_answer_language(page) == (tag, direction)
        expect(page.locator("[autofocus]")).to_be_in_viewport()
    page.locator(".choices button").first.click()
    expect(page.locator("#log .said:not(.hers)").last).to_be_visible()
    assert page.locator("#log .said:not(.hers) .words").first.get_attribute("lang") == tag
    page.click(".erase button")
    assert one.holds(*messages) == []
    assert urlsplit(page.url)[2:] == ("/", "", "")
    page.click(".leave")


def test_an_answer_is_read_from_its_start_and_old_choices_go(visit: Open) -> None:
    one = visit(width=320, height=568)
    one.write(HERS)
    one.page.evaluate("document.querySelector('#buttons button').dataset.old = 'yes'")
    one.page.locator("#buttons button").first.click()
    one.answered()
    one.page.wait_for_timeout(300)
    first = one.page.locator(".hers").last.locator("xpath=following-sibling::article[1]")
    top, bar = first.bounding_box(), one.page.locator(".bar").bounding_box()
    assert top
    assert bar
    assert top["y"] >= bar["y"] + bar["height"]
    assert top["y"] < 0.75 * 568
    assert one.page.locator("[data-old]").count() == 0
    assert first.evaluate("(answer) => answer === document.activeElement")


def test_typing_keeps_the_field_at_hand(visit: Open) -> None:
    """With a keyboard: Enter sends, Shift and Enter make a new line, the focus stays."""
    one = visit(width=1280, height=800)
    one.page.focus("#text")
    one.page.keyboard.type("one")
    one.page.keyboard.press("Shift+Enter")
    one.page.keyboard.type("two")
    one.page.keyboard.press("Enter")
    one.answered()
    expect(one.page.locator(".hers .words")).to_have_text("one\ntwo", use_inner_text=True)
    expect(one.page.locator("#text")).to_be_focused()
    expect(one.page.locator("#text")).to_have_value("")
    expect(one.page.locator("#text")).to_be_in_viewport(ratio=1)


def test_her_text_is_never_markup(visit: Open) -> None:
    one = visit()
    one.write("<img src=x onerror=alert(1)><b>bold</b>")
    assert one.page.locator(".hers img, .hers b").count() == 0
    plain = visit(javascript=False)
    plain.page.fill("#text", "<b>bold</b>")
    plain.page.click(".send")
    expect(plain.page.locator(".hers .words")).to_have_text("<b>bold</b>")
    assert one.problems == []


# when things fail -----------------------------------------------------------------------------------------------------


def _break_network(visit: Visit) -> Callable[[], None]:
    visit.page.context.set_offline(True)
    return lambda: visit.page.context.set_offline(False)


def _break_server(visit: Visit) -> Callable[[], None]:
    visit.page.route("**/say", lambda route: route.fulfill(status=503, body="gone"))
    return lambda: visit.page.unroute("**/say")


def _silence_server(visit: Visit) -> Callable[[], None]:
    empty = json.dumps({"conversation": None, "erase": False, "messages": [], "choices": []})
    visit.page.route("**/say", lambda route: route.fulfill(status=200, content_type="application/json", body=empty))
    return lambda: visit.page.unroute("**/say")


@pytest.mark.parametrize("fault", [_break_network, _break_server, _silence_server])
def test_a_failure_shows_the_numbers_and_loses_nothing(visit: Open, fault: Callable[[Visit], Callable[[], None]]) -> None:
    one = visit(locale="ar")
    one.write("one")
    mend = fault(one)
    one.page.fill("#text", HERS)
    one.page.click(".send")
    notice = one.page.locator(".notice")
    expect(notice).to_be_visible()
    expect(notice).to_be_in_viewport()
    expect(notice.locator("a[href='tel:112']").first).to_be_visible()
    assert notice.locator("p a").first.evaluate("(link) => getComputedStyle(link).direction") == "ltr"
    _always_there(one.page)
    mend()
    sent = len(one.requests)
    notice.locator(".again").click()
    one.answered()
    expect(notice).to_have_count(0)
    expect(one.page.locator(".hers .words", has_text=HERS)).to_have_count(1)
    resent = [request.post_data or "" for request in one.requests[sent:] if request.url.endswith("/say")]
    assert [json.loads(body)["text"] for body in resent] == [HERS]


def test_eight_seconds_without_an_answer_are_a_failure(visit: Open, andrum_url: str) -> None:
    one = visit(load=False)
    one.page.clock.install()
    one.page.goto(andrum_url)
    one.page.route("**/say", lambda route: None)
    one.page.fill("#text", HERS)
    one.page.click(".send")
    one.page.clock.run_for(1_000)
    expect(one.page.locator(".waiting")).to_be_visible()
    one.page.clock.run_for(7_100)
    expect(one.page.locator(".notice")).to_be_visible()
    expect(one.page.locator(".waiting")).to_have_count(0)


def test_a_refused_message_comes_back_to_be_shortened(visit: Open) -> None:
    one = visit()
    long = "a" * 70_000
    one.page.fill("#text", long)
    one.page.click(".send")
    one.answered()
    expect(one.page.locator("#log .said").last).to_contain_text(re.compile(r"\w"))
    assert one.page.input_value("#text") == long


def test_an_answer_on_its_way_is_not_shown_after_leaving(visit: Open) -> None:
    one = visit()
    held: list[Route] = []
    one.page.route("**/say", lambda route: held.append(route))
    one.page.route("**/leave", _stay)
    one.page.fill("#text", HERS)
    one.page.click(".send")
    expect(one.page.locator(".waiting")).to_be_visible()
    one.page.evaluate("document.querySelector('.leave').click()")
    answer = {"conversation": "x" * 32, "messages": [{"html": f"<p>{HERS}</p>", "lang": "en", "dir": "ltr"}], "choices": []}
    held[0].fulfill(json=answer)
    one.page.wait_for_timeout(300)
    assert one.page.locator("body > *").count() == 1
    assert one.holds(HERS) == []


# read by everybody ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "ar"])
@pytest.mark.parametrize("size", [(320, 568), (1280, 800)])
def test_axe_finds_nothing(visit: Open, size: tuple[int, int], locale: str, scheme: str) -> None:
    one = visit(width=size[0], height=size[1], locale=locale, color_scheme=scheme)
    _nothing_found(one.page)
    one.write(HERS)
    _nothing_found(one.page)
    _fail_once(one)
    _nothing_found(one.page)


def _nothing_found(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def _fail_once(one: Visit) -> None:
    _break_server(one)
    one.page.fill("#text", DRAFT)
    one.page.click(".send")
    one.page.wait_for_selector(".notice")


def test_axe_finds_nothing_without_javascript(visit: Open, browser: Browser) -> None:
    """The markup that a browser without scripts gets, looked at by one with them (axe is a script)."""
    plain = visit(javascript=False)
    plain.page.fill("#text", HERS)
    plain.page.click(".send")
    html = plain.page.content()
    one = visit(load=False)
    one.page.route("**/", lambda route: route.fulfill(body=html, content_type="text/html"))
    one.page.route("**/static/*.js", lambda route: route.abort())
    one.page.goto(plain.page.url)
    _nothing_found(one.page)


@pytest.mark.parametrize("locale", ["en-GB", "ar"])
def test_everything_by_keyboard(visit: Open, locale: str) -> None:
    """Leaving is the first stop; every stop is seen and is not under the bar or the field."""
    one = visit(locale=locale, width=360, height=640)
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.matches('[data-leave]')")
    one.write(HERS)
    one.page.focus(".skip[data-leave]")
    stops = []
    for _ in range(60):
        one.page.keyboard.press("Tab")
        stop = one.page.evaluate(
            """() => {
              const at = document.activeElement; const box = at.getBoundingClientRect();
              const over = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 20));
              return { what: at.id || at.className || at.name, body: at === document.body,
                seen: at.contains(over), ring: getComputedStyle(at).outlineStyle !== 'none' };
            }"""
        )
        if stop["body"]:
            break
        stops.append(stop)
    names = [stop["what"] for stop in stops]
    assert {"skip", "emergency", "globe", "leave", "text", "send"} <= set(names)
    assert [stop for stop in stops if not stop["seen"] or not stop["ring"]] == []


def test_high_contrast_and_reduced_motion(visit: Open) -> None:
    one = visit(forced_colors="active")
    one.write(HERS)
    _always_there(one.page)
    assert one.page.evaluate("getComputedStyle(document.querySelector('.hers')).borderTopStyle") == "solid"
    assert one.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


VOICES = """
  const voices = [{ lang: 'en-GB', name: 'remote', localService: false }];
  const spoken = [];
  window.spoken = spoken;
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  const speech = { getVoices: () => voices, speak: (each) => spoken.push(each), cancel: () => spoken.push('cancel'),
    arrive(lang) { voices.push({ lang, name: 'local', localService: true }); speech.onvoiceschanged?.(); } };
  Object.defineProperty(window, 'speechSynthesis', { value: speech });
"""


def test_reading_aloud_only_with_a_voice_of_the_device(visit: Open, andrum_url: str) -> None:
    one = visit(load=False)
    one.page.add_init_script(VOICES)
    one.page.goto(andrum_url)
    one.write(HERS)
    listen = one.page.locator("#log .listen:visible")
    expect(listen).to_have_count(0)
    one.page.evaluate("speechSynthesis.arrive('en_GB')")
    expect(listen).not_to_have_count(0)
    listen.first.click()
    assert one.page.evaluate("spoken.filter((each) => each.voice).every((each) => each.voice.localService)")
    assert one.page.evaluate("spoken.filter((each) => each.voice).length") > 0
    expect(listen.first.locator(".stop")).to_be_visible()
    listen.first.click()
    expect(listen.first.locator(".start")).to_be_visible()
    assert one.page.evaluate("spoken.pop()") == "cancel"


# the widget on a partner's page ---------------------------------------------------------------------------------------


def _partner(
    visit: Open, andrum_url: str, neutral_url: str, width: int = 1000, height: int = 760
) -> tuple[Visit, FrameLocator]:
    one = visit(load=False, width=width, height=height)
    one.page.goto(f"{neutral_url}/before")
    one.page.goto(f"{neutral_url}/partner?{andrum_url}")
    one.page.locator("button.open").click()
    return one, one.page.frame_locator("iframe")


def _talk_inside(frame: FrameLocator) -> None:
    frame.locator("#text").fill(HERS)
    frame.locator(".send").click()
    expect(frame.locator(".hers + .said")).to_be_visible(timeout=15_000)
    frame.locator("#text").fill(DRAFT)


@pytest.mark.parametrize("size", [(320, 568), (1000, 760)])
@pytest.mark.parametrize("by", ["link", "shift"])
def test_leaving_from_inside_the_widget_takes_the_partners_page_along(
    visit: Open, andrum_url: str, neutral_url: str, size: tuple[int, int], by: str
) -> None:
    """[P1, P2, P5]"""
    one, frame = _partner(visit, andrum_url, neutral_url, *size)
    _talk_inside(frame)
    expect(frame.locator("a.leave")).to_be_in_viewport(ratio=1)
    expect(frame.locator(".bar a.emergency")).to_be_in_viewport(ratio=1)
    before = one.page.evaluate("history.length")
    if by == "link":
        frame.locator("a.leave").click()
    else:
        _press_shift(one.page)
    one.page.wait_for_url(f"{neutral_url}/")
    one.page.wait_for_load_state()
    assert one.page.evaluate("[history.length, document.referrer]") == [before, ""]
    assert one.page.context.storage_state() == {"cookies": [], "origins": []}
    for step in [-1] * 2 + [1] * 2:
        _go(one.page, step)
        assert one.holds(HERS, DRAFT) == []
        assert "partner" not in one.page.url


def test_the_partners_page_is_covered_at_once(visit: Open, andrum_url: str, neutral_url: str) -> None:
    """[P1] Also where the exit address does not answer."""
    one, frame = _partner(visit, andrum_url, neutral_url)
    _talk_inside(frame)
    one.page.context.route("**/leave", _stay)
    frame.locator("a.leave").evaluate("(link) => link.click()")
    expect(one.page.locator("dialog.cover")).to_be_visible()
    expect(one.page.locator("iframe")).to_have_count(0)
    box = one.page.locator("dialog.cover").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 1000, "height": 760}
    assert one.page.evaluate("document.title + document.body.innerText") == ""


@pytest.mark.parametrize("by", ["escape", "button"])
def test_closing_the_widget_ends_the_conversation(visit: Open, andrum_url: str, neutral_url: str, by: str) -> None:
    one, frame = _partner(visit, andrum_url, neutral_url)
    token = _token_of_a_romanian_conversation(one, frame)
    _talk_inside(frame)
    assert _server_remembers(one, token, andrum_url)
    if by == "escape":
        frame.locator("#text").press("Escape")
    else:
        one.page.locator("button.close").click()
    expect(one.page.locator("iframe")).to_have_count(0)
    one.page.wait_for_timeout(500)
    assert not _server_remembers(one, token, andrum_url)
    one.page.locator("button.open").click()
    expect(one.page.frame_locator("iframe").locator("#log .said").first).to_be_visible()
    expect(one.page.frame_locator("iframe").locator(".hers")).to_have_count(0)


def test_the_widget_obeys_nobody_else(visit: Open, andrum_url: str, neutral_url: str) -> None:
    one, frame = _partner(visit, andrum_url, neutral_url)
    _talk_inside(frame)
    one.page.evaluate("postMessage({ andrum: 'leave', exit: 'https://elsewhere.example/' }, '*')")
    one.page.evaluate("postMessage({ andrum: 'close' }, '*')")
    one.page.wait_for_timeout(300)
    expect(frame.locator(".hers")).to_be_visible()
    # What comes from our frame can only lead to our own way out.
    inside = next(each for each in one.page.frames if each.url.startswith(andrum_url))
    inside.evaluate("parent.postMessage({ andrum: 'leave', exit: 'https://elsewhere.example/' }, '*')")
    one.page.wait_for_timeout(300)
    assert "partner" in one.page.url


def test_a_frame_without_our_script_still_leaves(visit: Open, andrum_url: str, neutral_url: str) -> None:
    """[P1] A partner who framed the page by hand."""
    one = visit(load=False, width=1000, height=760)
    one.page.context.grant_permissions(["local-network-access"])  # a page from nowhere may not ask this machine otherwise
    framed = f"<!doctype html><title>Partner</title><iframe src='{andrum_url}/?frame=1' width='400' height='600'></iframe>"
    one.page.route(f"{neutral_url}/by-hand", lambda route: route.fulfill(body=framed, content_type="text/html"))
    one.page.goto(f"{neutral_url}/by-hand")
    frame = one.page.frame_locator("iframe")
    _talk_inside(frame)
    frame.locator("a.leave").click()
    one.page.wait_for_url(f"{neutral_url}/")


def test_the_widget_leaks_no_style_and_takes_none(visit: Open, andrum_url: str, neutral_url: str) -> None:
    """A partner with a strict policy and loud styles of its own."""
    one = visit(load=False)
    one.page.context.grant_permissions(["local-network-access"])
    html = (
        "<!doctype html><title>Partner</title><link rel='stylesheet' href='/loud.css'><button id='own'>Own</button>"
        f"<script src='{andrum_url}/widget.js' async data-label='Fakta' data-language='ar'></script>"
    )
    policy = f"default-src 'none'; style-src 'self'; script-src {andrum_url}; frame-src {andrum_url}"
    one.page.route(
        f"{neutral_url}/strict",
        lambda route: route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": policy}),
    )
    loud = "button { color: rgb(255, 0, 0); font-size: 60px } iframe { width: 10px } body { direction: ltr }"
    one.page.route(f"{neutral_url}/loud.css", lambda route: route.fulfill(body=loud, content_type="text/css"))
    one.page.goto(f"{neutral_url}/strict")
    button = one.page.locator("button.open")
    expect(button).to_have_text("Fakta")
    assert button.evaluate("(each) => getComputedStyle(each).fontSize") == "16px"
    assert one.page.evaluate("getComputedStyle(document.getElementById('own')).fontSize") == "60px"
    button.click()
    expect(one.page.frame_locator("iframe").locator("html")).to_have_attribute("lang", "ar")
    box = one.page.locator("iframe").bounding_box()
    assert box
    assert box["width"] == 360
    assert one.problems == []
