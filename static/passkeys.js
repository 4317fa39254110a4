// Passkeys, where the browser has them. Every page works without, but for adding one.
'use strict';

(() => {
  const boxes = document.querySelectorAll('[data-passkey]');
  // A site without a name can have none (WebAuthn §5.1.3, the effective domain).
  const isBareAddress = /^\[|^[\d.]+$/.test(location.hostname);
  if (!window.PublicKeyCredential || !navigator.credentials || isBareAddress) return;

  // WebAuthn's JSON (Level 3, §5.1.8 to §5.1.10) to bytes and back, for browsers that do not have it yet.
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const named = (list) => list && list.map((one) => ({ ...one, id: bytes(one.id) }));
  const read = (options) => ({
    ...options,
    challenge: bytes(options.challenge),
    user: options.user && { ...options.user, id: bytes(options.user.id) },
    allowCredentials: named(options.allowCredentials),
    excludeCredentials: named(options.excludeCredentials),
  });
  const written = (credential) => {
    const response = {};
    for (const part of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (credential.response[part]) response[part] = text(credential.response[part]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(),
      response,
    };
  };

  const words = {
    NotAllowedError: 'No passkey was chosen, or it took too long. Try again.',
    InvalidStateError: 'This device already has a passkey for your account.',
    SecurityError: 'Passkeys do not work at this address.',
  };
  const say = (box, sentence) => { box.querySelector('[aria-live]').textContent = sentence; };
  const explain = (box, error) => {
    say(box, error.sentence || words[error.name] || 'That did not work. Try again, or use another way.');
  };

  const ask = async (path, body) => {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify(body || {}),
    });
    const told = await answer.json();
    if (answer.ok) return told;
    if (told.code === 'reauthentication_required') {
      location.assign(`${told.confirm}?next=${encodeURIComponent(location.pathname)}`);
    } else if (told.code === 'sign_in_ended' || told.code === 'sign_in_required') {
      location.assign('/login');
    }
    throw Object.assign(new Error(told.code), { sentence: told.error });
  };

  // The one request of this page that waits. Two at once are refused by browsers, so the older one is given up first.
  let waiting = null;
  const begin = (kind) => {
    if (waiting) waiting.abort();
    waiting = new AbortController();
    waiting.kind = kind;
    return waiting.signal;
  };

  const choose = async (box, mediation) => {
    const signal = begin(mediation);
    const publicKey = read(await ask(box.dataset.options));
    signal.throwIfAborted();
    return navigator.credentials.get({ publicKey, mediation, signal });
  };

  const hand = async (box, credential) => {
    const fields = Object.fromEntries([...box.querySelectorAll('input')].map((input) => [input.name, input.value]));
    const remember = document.getElementById('remember');
    if (remember) fields.remember = remember.checked;
    const answer = await ask(box.dataset.answer, { ...written(credential), ...fields });
    location.assign(answer.next);
  };

  // Autofill: the browser offers passkeys in the address field for as long as the page is open. What goes wrong before
  // somebody chooses one is nobody's business.
  const offer = async (box) => {
    const able = PublicKeyCredential.isConditionalMediationAvailable;
    if (!able || !await PublicKeyCredential.isConditionalMediationAvailable()) return;
    let credential;
    try {
      credential = await choose(box, 'conditional');
    } catch {
      return;
    }
    try {
      await hand(box, credential);
    } catch (error) {
      explain(box, error);
      offer(box);
    }
  };

  const press = async (box) => {
    say(box, '');
    try {
      await hand(box, await choose(box, 'optional'));
    } catch (error) {
      if (error.name === 'AbortError') return;
      explain(box, error);
      if (box.dataset.passkey === 'fill') offer(box);
    }
  };

  // A step-up comes in between: the name that was typed waits for it in this tab, and the ceremony goes on by itself.
  const WAITS = 'passkey';

  const add = async (form) => {
    say(form, '');
    sessionStorage.setItem(WAITS, form.elements.name.value);
    try {
      const publicKey = read(await ask(form.dataset.options));
      const credential = await navigator.credentials.create({ publicKey, signal: begin('create') });
      form.elements.credential.value = JSON.stringify(written(credential));
      form.submit();
    } catch (error) {
      explain(form, error);
      if (error.message === 'reauthentication_required') return;
    }
    sessionStorage.removeItem(WAITS);
  };

  for (const box of boxes) {
    box.hidden = false;
    if (box.dataset.passkey === 'new') {
      box.addEventListener('submit', (event) => {
        event.preventDefault();
        add(box);
      });
      const name = sessionStorage.getItem(WAITS);
      if (name !== null && document.referrer.includes('/auth/confirm')) {
        box.elements.name.value = name;
        add(box);
      }
      continue;
    }
    box.querySelector('button').addEventListener('click', () => press(box));
    if (box.dataset.passkey === 'fill') {
      offer(box);
      // A challenge lives for five minutes.
      setInterval(() => { if (waiting.kind === 'conditional') offer(box); }, 24e4);
    }
  }
  for (const one of document.querySelectorAll('[data-without-passkeys]')) one.hidden = true;
})();
