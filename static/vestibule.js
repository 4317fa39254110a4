// Comforts only: every page works without this.
'use strict';

// A form that is on its way is not sent again by a second press; one that brings a file may be.
for (const form of document.querySelectorAll('form:not([data-again])')) {
  let waits = false;
  form.addEventListener('submit', (event) => {
    if (waits) event.preventDefault();
    waits = true;
  });
  addEventListener('pageshow', () => { waits = false; });
}

// A button in each password's field shows and hides it.
for (const input of document.querySelectorAll('input[type=password]')) {
  const label = input.labels[0].textContent.toLowerCase();
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  const show = (shown) => {
    input.type = shown ? 'text' : 'password';
    button.textContent = shown ? 'Hide' : 'Show';
    button.setAttribute('aria-label', `${button.textContent} ${label}`);
  };
  button.addEventListener('click', () => show(input.type === 'password'));
  input.form.addEventListener('submit', () => show(false));
  show(false);
  input.after(button);
}

// Times in the visitor's own zone in the text; the title keeps them in UTC.
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const hour = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const days = (date) => Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 864e5);
for (const time of document.querySelectorAll('time[datetime]')) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  const day = { 0: 'today', 1: 'yesterday' }[days(at)];
  if (/^(today|yesterday) at/.test(time.textContent)) time.textContent = day ? `${day} at ${hour.format(at)}` : exact.format(at);
  else if (time.textContent.endsWith('UTC')) time.textContent = exact.format(at);
}

// What a session keeps of its browser, so that a change can be seen.
for (const input of document.querySelectorAll('input[data-trait]')) {
  input.value = input.dataset.trait === 'zone' ? zone : `${screen.width}x${screen.height}`;
}

// Something to copy gets a button for it.
const copies = (what, text) => {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy: ${what}`);
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = 'Copied';
  });
  return button;
};
for (const input of document.querySelectorAll('[data-copy]')) {
  const box = document.createElement('div');
  box.className = 'join';
  const button = copies(input.labels[0].textContent, () => input.value);
  button.addEventListener('click', () => input.select());
  input.replaceWith(box);
  box.append(input, button);
}

// A form that was sent too often says how long to wait, and when it is over.
for (const told of document.querySelectorAll('[data-wait]')) {
  const until = Date.now() + told.dataset.wait * 1000;
  told.textContent = told.textContent.split(' Wait ')[0];
  // Told once by the alert around it; a number that changes is not read out.
  const count = document.createElement('span');
  count.setAttribute('aria-live', 'off');
  told.append(' ', count);
  const show = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    const clock = left < 60 ? `${left} s` : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')} min`;
    count.textContent = left > 0 ? `Try again in ${clock}.` : 'You can try again now.';
    if (left > 0) setTimeout(show, 1000);
  };
  show();
}

// A form that a step-up interrupted goes on by itself, where it destroys nothing.
const interrupted = document.querySelector('form[data-continue]');
if (interrupted) interrupted.requestSubmit();

// So do recovery codes, and one that prints them.
for (const form of document.querySelectorAll('form[data-codes]')) {
  const codes = () => [...document.querySelectorAll(`#${form.dataset.codes} code`)].map((code) => code.textContent).join('\n');
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Print';
  button.addEventListener('click', () => print());
  form.prepend(copies('recovery codes', codes));
  form.append(button);
}

// A document can be chosen instead of pasted.
for (const area of document.querySelectorAll('textarea[data-file]')) {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = '.xml,text/xml,application/xml';
  input.setAttribute('aria-label', `${area.labels[0].textContent}, from a file`);
  input.addEventListener('change', async () => { area.value = await input.files[0].text(); });
  area.after(input);
}
