/**
 * For a partner's page: <script src="https://…/widget.js" async data-label="Information" data-language="ro"></script>
 * A small neutral button opens Andrum in a frame. Stands on a foreign page, so it touches nothing of it until she leaves.
 *
 * Promise: Esc and the close button end the conversation; leaving from inside empties the panel, covers the partner's
 * page and replaces it, so that Back finds neither.
 * Never: cookies, storage, styles that leak out or in, an inline style that the partner's policy would refuse,
 * a message from any other origin.
 */
(() => {
  const script = document.currentScript;
  const home = new URL(script.src).origin;
  const { label = 'Information', closeLabel = 'Close', language = '' } = script.dataset;

  const css = `
    :host { all: initial; }
    * { box-sizing: border-box; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    button { min-height: 44px; min-width: 44px; border: 1px solid #8a7f72; border-radius: 22px; padding: 8px 18px;
      background: #fffdf9; color: #2a2520; font-size: 16px; line-height: 1.25; cursor: pointer; }
    button:focus-visible { outline: 3px solid #2c5d55; outline-offset: 2px; }
    .open { position: fixed; inset-block-end: 16px; inset-inline-end: 16px; z-index: 2147483647;
      box-shadow: 0 2px 10px rgb(0 0 0 / .15); max-width: calc(100vw - 32px); }
    dialog { position: fixed; inset: 0; margin: 0; border: 0; padding: 0; width: 100%; height: 100%; max-width: none;
      max-height: none; flex-direction: column; background: #f7f2ea; color: #2a2520; overflow: hidden; }
    dialog[open] { display: flex; }
    dialog::backdrop { background: rgb(28 25 22 / .4); }
    .close { align-self: flex-end; border-color: transparent; background: none; font-size: 24px; padding: 0; }
    iframe { flex: 1; width: 100%; min-height: 0; border: 0; }
    @media (min-width: 700px) and (min-height: 500px) {
      dialog:not(.cover) { inset: auto; inset-block-end: 16px; inset-inline-end: 16px; width: 420px;
        height: min(680px, calc(100% - 32px)); border-radius: 16px; }
    }
    @media (prefers-color-scheme: dark) {
      button { background: #26221e; color: #f0e9df; }
      dialog { background: #1c1916; color: #f0e9df; }
    }`;

  const host = document.createElement('div');
  const shadow = host.attachShadow({ mode: 'open' });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    shadow.adoptedStyleSheets = [sheet];
  } catch {
    // Older browsers know no constructed sheets; a partner whose policy forbids inline styles then gets a plain button.
    shadow.append(Object.assign(document.createElement('style'), { textContent: css }));
  }

  const open = Object.assign(document.createElement('button'), { type: 'button', className: 'open', textContent: label });
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'close', textContent: '×' });
  close.setAttribute('aria-label', closeLabel);
  const panel = document.createElement('dialog');
  panel.setAttribute('aria-label', label);
  if (language) host.lang = language;
  panel.append(close);
  shadow.append(open, panel);
  let frame = null;

  function end() {
    // Taking the frame out unloads it: the page inside wipes itself and tells the server to forget.
    frame?.remove();
    frame = null;
    if (panel.open) panel.close();
  }

  function leave(exit) {
    frame.remove();
    frame = null;
    panel.replaceChildren();
    panel.className = 'cover';
    // The partner's own page tells as much as ours: it goes too, under the cover and from the title.
    document.body.replaceChildren(host);
    document.title = '';
    // The neutral page must not learn from where she came.
    document.head.append(Object.assign(document.createElement('meta'), { name: 'referrer', content: 'no-referrer' }));
    location.replace(exit);
  }

  open.addEventListener('click', () => {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = label;
    frame.referrerPolicy = 'no-referrer';
    // The address is set before the frame enters the page: no entry of its own in the history.
    frame.src = `${home}/?frame=1${language ? `&language=${encodeURIComponent(language)}` : ''}`;
    panel.append(frame);
    panel.showModal();
    frame.focus();
  });
  close.addEventListener('click', end);
  panel.addEventListener('close', end);

  addEventListener('message', (event) => {
    if (!frame || event.origin !== home || event.source !== frame.contentWindow) return;
    if (event.data?.andrum === 'close') {
      end();
      open.focus();
    }
    // Only to Andrum's own way out: a message can never send her anywhere else.
    if (event.data?.andrum === 'leave' && new URL(event.data.exit).origin === home) leave(event.data.exit);
  });
  addEventListener('pagehide', end);

  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener('DOMContentLoaded', place);
})();
