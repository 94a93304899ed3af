/**
 * The way out. Stands in front of everything else on the page and needs none of it.
 *
 * Promise: at a click on a leave link, or Shift alone three times within five seconds, every word is out of the
 * document at once, the server is told to forget, and this history entry becomes the neutral page. The same happens
 * by itself when the page has been hidden for two minutes or untouched for ten.
 * Never: storage, cookies, `beforeunload` (it would ask a question at the worst moment), waiting for the network.
 */
const HIDDEN_LIMIT = 120_000;
const IDLE_LIMIT = 600_000;
const SHIFT_WINDOW = 5_000;

const root = document.documentElement;
const bar = document.querySelector('.bar');
const cover = document.getElementById('cover');
const exit = new URL(document.querySelector('[data-leave]').getAttribute('href'), location.href).href;
const framed = window !== window.top;

/** The conversation's token lives here and nowhere else, so that a reload is a new conversation. */
export const held = { conversation: document.querySelector('[name=conversation]').value };

/** Aborted once the page is wiped: whatever is on its way from the server must not be shown any more. */
export const gone = new AbortController();

function wipe() {
  for (const field of document.querySelectorAll('textarea, input')) field.value = '';
  // The nodes go, not only their visibility: the back-forward cache and a screen reader would still have them.
  document.body.textContent = '';
  document.body.append(cover.content.cloneNode(true));
  document.getSelection()?.removeAllRanges();
  if (gone.signal.aborted) return;
  gone.abort();
  window.speechSynthesis?.cancel();
  if (held.conversation) {
    const token = JSON.stringify({ conversation: held.conversation });
    held.conversation = '';
    navigator.sendBeacon('/forget', new Blob([token], { type: 'application/json' }));
  }
}

function tellPartner(what) {
  // No secret in it, and the partner's address is unknown here: frame-ancestors has decided who may frame us.
  window.parent.postMessage({ andrum: what, exit }, '*');
}

function leave() {
  try {
    wipe();
  } finally {
    // Whatever an old browser does not know must not keep her here.
    go();
  }
}

function go() {
  if (framed) {
    tellPartner('leave');
    try {
      window.top.location.replace(exit);
      return;
    } catch {
      // The browser may refuse a frame to move its page; the partner's widget.js does it then.
    }
  }
  location.replace(exit);
}

/** Nobody is there any more. In a partner's page only our panel goes; the page itself belongs to the partner. */
function blank() {
  wipe();
  if (framed) tellPartner('close');
  else location.replace(exit);
}

document.addEventListener('click', (event) => {
  if (!event.target.closest?.('[data-leave]')) return;
  event.preventDefault();
  leave();
}, true);

// Only Shift by itself counts, so that capital letters while writing never throw her out.
let presses = [];
let alone = false;
window.addEventListener('keydown', (event) => {
  if (event.key !== 'Shift') presses = [];
  alone = event.key === 'Shift';
  if (framed && event.key === 'Escape' && !event.isComposing) blank();
}, true);
window.addEventListener('pointerdown', () => { alone = false; }, true);
window.addEventListener('keyup', (event) => {
  if (event.key !== 'Shift' || !alone) return;
  alone = false;
  const now = Date.now();
  presses = [...presses, now].filter((time) => now - time <= SHIFT_WINDOW);
  if (presses.length === 3) leave();
}, true);

// A page that comes back from the back-forward cache was left before: it is wiped, and goes away again.
window.addEventListener('pagehide', wipe);
window.addEventListener('pageshow', (event) => { if (event.persisted) blank(); });

let touched = Date.now();
let hiddenSince = 0;
function blankWhenAbandoned() {
  const now = Date.now();
  if (gone.signal.aborted) return;
  if (now - touched >= IDLE_LIMIT || (hiddenSince && now - hiddenSince >= HIDDEN_LIMIT)) blank();
}
for (const kind of ['pointerdown', 'keydown', 'input', 'scroll', 'touchstart']) {
  window.addEventListener(kind, () => { touched = Date.now(); }, { capture: true, passive: true });
}
document.addEventListener('visibilitychange', () => {
  // A phone stops timers of hidden pages, so the clock is read again before anything is shown.
  blankWhenAbandoned();
  hiddenSince = document.hidden ? Date.now() : 0;
  root.toggleAttribute('data-away', document.hidden);
});
setInterval(blankWhenAbandoned, 5_000);

// Pinch zoom and the iPhone's keyboard move what is seen inside the page; the bar goes with it, at its own size.
const view = window.visualViewport;
function keepInView() {
  const moved = view.scale > 1.01 || view.offsetTop > 0;
  bar.style.transform = moved
    ? `translate(${view.offsetLeft}px, ${view.offsetTop}px) scale(${1 / view.scale})` : '';
}
view?.addEventListener('resize', keepInView);
view?.addEventListener('scroll', keepInView);

const hint = document.getElementById('leave-hint');
if (hint) hint.hidden = false;
