// The npm package oidc-provider, with its defaults but for its people, its one client, and a scope for each claim. It shows its
// own pages to sign in and to agree. Prints its issuer once it listens.
'use strict';

const { Provider } = require('oidc-provider');

const { port, client } = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${port}`;

// Whoever is called so has such an address; hugo's is not confirmed, and iris tells none.
const people = (sub) => {
  const email = sub === 'iris' ? {} : { email: `${sub}@example.com`, email_verified: sub !== 'hugo' };
  return { accountId: sub, claims: () => ({ sub, name: `${sub[0].toUpperCase()}${sub.slice(1)}`, ...email }) };
};

const provider = new Provider(issuer, {
  clients: [client],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  // Whoever signs out there signs out of what they used.
  features: { backchannelLogout: { enabled: true }, introspection: { enabled: true }, revocation: { enabled: true } },
  // It tells applications nothing on this machine by itself, and the tests' are there.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  cookies: { keys: ['of one test'] },
  findAccount: (_, sub) => people(sub),
  pkce: { required: () => true },
});

provider.listen(port, '127.0.0.1', () => console.log(issuer));
