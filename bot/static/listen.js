/**
 * Reading an answer aloud, for those who do not read well. Stands beside the conversation.
 *
 * Promise: a listen button only where the device itself has a voice for the answer's language.
 * Never: a remote voice (the browser would send the text to its maker).
 */
import { gone } from './leave.js';

const speech = window.speechSynthesis;
let speaking = null;

function voiceFor(tag) {
  const plain = (name) => name.toLowerCase().replace('_', '-');
  const own = (speech?.getVoices() ?? []).filter((voice) => voice.localService === true);
  return own.find((voice) => plain(voice.lang) === plain(tag))
    ?? own.find((voice) => plain(voice.lang).split('-')[0] === plain(tag).split('-')[0]);
}

function mark(button, on) {
  button.querySelector('.start').hidden = on;
  button.querySelector('.stop').hidden = !on;
  speaking = on ? button : null;
}

function stop() {
  if (speaking) mark(speaking, false);
  speech?.cancel();
}

function start(button) {
  const words = button.closest('.said').querySelector('.words');
  const parts = words.children.length ? [...words.children] : [words];
  mark(button, true);
  parts.forEach((part, index) => {
    const utterance = new SpeechSynthesisUtterance(part.textContent);
    utterance.voice = voiceFor(words.lang);
    utterance.lang = utterance.voice.lang;
    // A new press may have started another answer in the meantime.
    if (index === parts.length - 1) utterance.onend = () => { if (speaking === button) mark(button, false); };
    speech.speak(utterance);
  });
}

/** Shows the listen button on each answer that this device can read; called again when voices arrive. */
export function offerListening() {
  for (const button of document.querySelectorAll('#log .listen')) {
    button.hidden = !voiceFor(button.closest('.said').querySelector('.words').lang);
  }
}

document.addEventListener('click', (event) => {
  const button = event.target.closest?.('.listen');
  if (!button || gone.signal.aborted) return;
  const again = button === speaking;
  stop();
  if (!again) start(button);
});
if (speech) speech.onvoiceschanged = offerListening;
