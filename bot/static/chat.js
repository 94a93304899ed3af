/**
 * The conversation on the page. Stands between the forms, which work without it, and POST /say.
 *
 * Promise: what she wrote is on the screen at once and never lost; an answer is read from its start; when the
 * network or the server fails, the emergency number is shown from the page itself within eight seconds.
 * Never: her text in a URL, anything kept after the page is wiped, a remote voice, HTML that the server did not send.
 */
import { held, gone } from './leave.js';
import { offerListening } from './listen.js';

const PATIENCE = 8_000;
const QUIET = 400;

const root = document.documentElement;
const log = document.getElementById('log');
const field = document.getElementById('text');
const composer = document.getElementById('composer');
const choices = document.getElementById('choices');
const buttons = document.getElementById('buttons');
const erase = document.getElementById('erase');
const languages = document.getElementById('languages');
const byTouch = window.matchMedia('(pointer: coarse)');

function copy(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function fit() {
  field.style.blockSize = 'auto';
  field.style.blockSize = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

function openElsewhere(links) {
  // A page of an organisation opens beside the conversation instead of ending it.
  for (const link of links) {
    link.rel = 'noreferrer noopener';
    if (link.protocol === 'https:' || link.protocol === 'http:') link.target = '_blank';
  }
}

function showHers(text) {
  const said = copy('hers');
  said.querySelector('.words').textContent = text;
  log.append(said);
  said.scrollIntoView({ block: 'nearest' });
}

function showAnswers(messages) {
  const shown = messages.map((message) => {
    const said = copy('answer');
    const words = said.querySelector('.words');
    const parsed = document.createElement('template');
    parsed.innerHTML = message.html;
    openElsewhere(parsed.content.querySelectorAll('a'));
    words.lang = message.lang;
    words.dir = message.dir;
    words.append(parsed.content);
    log.append(said);
    return said;
  });
  offerListening();
  return shown[0];
}

function showChoices(offered) {
  buttons.replaceChildren(...offered.map(({ id, label }) => {
    const button = copy('choice');
    button.value = id;
    button.textContent = label;
    return button;
  }));
}

function relabel({ interface: words, language, direction }) {
  const parts = [document, ...[...document.querySelectorAll('template')].map((each) => each.content)];
  const say = (attribute, put) => {
    for (const part of parts) {
      for (const element of part.querySelectorAll(`[${attribute}]`)) {
        const text = words[element.getAttribute(attribute)];
        if (text) put(element, text);
      }
    }
  };
  say('data-word', (element, text) => { element.textContent = text; });
  say('data-word-label', (element, text) => { element.setAttribute('aria-label', text); });
  say('data-word-placeholder', (element, text) => { element.placeholder = text; });
  if (words.title) document.title = words.title;
  root.lang = language;
  root.dir = direction;
  for (const button of languages.querySelectorAll('button')) {
    if (button.value === language) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}

/** The server's answer, or null when there is none she could use: silence counts as a failure. */
async function ask(words) {
  const patience = new AbortController();
  const giveUp = () => patience.abort();
  const clock = setTimeout(giveUp, PATIENCE);
  gone.signal.addEventListener('abort', giveUp);
  try {
    const response = await fetch('/say', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ conversation: held.conversation || null, ...words }),
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal: patience.signal,
    });
    if (response.status >= 500) return null;
    const answer = await response.json();
    return answer.messages?.length ? { refused: !response.ok, ...answer } : null;
  } catch {
    return null;
  } finally {
    clearTimeout(clock);
    gone.signal.removeEventListener('abort', giveUp);
  }
}

/** Numbers in a plain interface text become links that can be pressed, and keep their order in right-to-left text. */
function linkNumbers(paragraph) {
  const text = paragraph.textContent;
  const parts = [];
  let end = 0;
  for (const { 0: number, index } of text.matchAll(/\d[\d -]*\d/g)) {
    // A time of day has a colon, a dot or a dash beside it; a number to call has not.
    if (/[:.–]$/.test(text.slice(0, index)) || /^[:–]|^\.\d/.test(text.slice(index + number.length))) continue;
    const link = document.createElement('a');
    const order = document.createElement('bdi');
    link.href = `tel:${number.replace(/\D/g, '')}`;
    link.rel = 'noreferrer noopener';
    order.dir = 'ltr';
    order.textContent = number;
    link.append(order);
    parts.push(text.slice(end, index), link);
    end = index + number.length;
  }
  paragraph.replaceChildren(...parts, text.slice(end));
}

function showNoConnection(words, byButton) {
  const notice = copy('no-connection');
  linkNumbers(notice.querySelector('p'));
  notice.querySelector('.again').addEventListener('click', () => {
    notice.remove();
    say(words, byButton);
  });
  log.append(notice);
  notice.scrollIntoView({ block: 'start' });
  if (byButton) notice.focus({ preventScroll: true });
}

async function exchange(words, byButton) {
  let waiting = null;
  const quiet = setTimeout(() => {
    waiting = copy('waiting');
    log.append(waiting);
    waiting.scrollIntoView({ block: 'nearest' });
  }, QUIET);
  const answer = await ask(words);
  clearTimeout(quiet);
  if (gone.signal.aborted) return;
  waiting?.remove();
  if (!answer) {
    showNoConnection(words, byButton);
    return;
  }
  if ('conversation' in answer) held.conversation = answer.conversation ?? '';
  if (answer.erase) {
    log.replaceChildren();
    field.value = '';
    fit();
  }
  if (answer.interface) relabel(answer);
  const first = showAnswers(answer.messages);
  if (answer.choices || answer.erase) showChoices(answer.choices ?? []);
  erase.hidden = answer.erase || !held.conversation;
  // Refused (too long, too fast): her words go back into the field, to be shortened or sent again.
  if (answer.refused && words.text && !field.value) {
    field.value = words.text;
    fit();
  }
  first.scrollIntoView({ block: 'start' });
  // A pressed button is gone, and on a phone the keyboard would cover the answer: the answer takes the focus.
  if (byButton || byTouch.matches) first.focus({ preventScroll: true });
}

// One after the other: the second message needs the token that the first one brings.
let line = Promise.resolve();
let busy = 0;
function say(words, byButton) {
  busy += 1;
  line = line.then(() => exchange(words, byButton))
    .catch(() => showNoConnection(words, byButton))
    .finally(() => { busy -= 1; });
}

function send(event) {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) {
    field.focus();
    return;
  }
  field.value = '';
  fit();
  showHers(text);
  say({ text }, document.activeElement !== field);
}
composer.addEventListener('submit', send);
field.addEventListener('input', fit);
field.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
});

choices.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  event.preventDefault();
  // The buttons stay until new ones come, so a second press must not ask twice.
  if (busy) return;
  showHers(button.textContent);
  say({ choice: button.value }, true);
});
languages.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  event.preventDefault();
  if (!busy) say({ choice: `language:${button.value}` }, true);
});
erase.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!busy) say({ choice: erase.querySelector('button').value }, true);
});

// Inside the page without a fragment: the address stays one, and so does the history entry.
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  field.focus();
});
document.getElementById('globe').addEventListener('click', (event) => {
  event.preventDefault();
  const names = languages.querySelector('details');
  names.open = true;
  languages.scrollIntoView({ block: 'start' });
  languages.querySelector('summary').focus({ preventScroll: true });
});

openElsewhere(log.querySelectorAll('a'));
offerListening();
