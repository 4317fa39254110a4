// The npm package samlp as an identity provider, with its defaults but for what each is told of the service. A line of JSON
// on standard input asks something of it, a line on standard output answers: see tests/suite/peers/mod.rs.
'use strict';

const { createInterface } = require('node:readline');
const { parse } = require('node:querystring');

const samlp = require('samlp');

const settings = JSON.parse(process.argv[2]);
const session = {};
const signIns = [];
let key = settings.keys[0];
let service = null;

const shared = () => ({ issuer: `${settings.base}/metadata`, cert: key.certificate, key: key.private });

// What express hands to a middleware, as far as this one asks for it.
function run(middleware, request) {
  return new Promise((resolve, reject) => {
    const headers = { host: new URL(settings.base).host };
    const req = { method: 'GET', protocol: 'https', query: {}, body: {}, headers, session, ...request };
    const answer = {
      set() {},
      redirect: (location) => resolve({ location }),
      send: (body) => resolve(typeof body === 'string' ? { body } : { status: body }),
    };
    middleware({ ...req, originalUrl: '/metadata' }, answer, reject);
  });
}

const unescaped = (text) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&amp;/g, '&');

function formIn(body) {
  const fields = {};
  for (const [, name, value] of body.matchAll(/name="(SAML\w+|RelayState)"\s*value="([^"]*)"/g)) {
    fields[name] = unescaped(value);
  }
  return { action: unescaped(body.match(/action="([^"]*)"/)[1]), fields };
}

async function signIn({ query, form, person, more }) {
  const index = `_session-${signIns.length}`;
  const options = {
    ...shared(),
    // What every service needs: where its answers go, and for whom they are.
    getPostURL: (audience, request, req, done) => done(null, service.acs),
    audience: service.entityId,
    recipient: service.acs,
    destination: service.acs,
    sessionIndex: index,
    ...(service.checksRequests ? { signingCert: service.certificate } : {}),
    ...(service.encrypts ? { encryptionCert: service.certificate, encryptionPublicKey: service.publicKey } : {}),
    ...more,
  };
  const user = {
    id: person.subject,
    displayName: person.name,
    name: { givenName: '', familyName: '' },
    emails: [{ value: person.email }],
    groups: person.groups,
  };
  const request = form ? { method: 'POST', body: form, user } : { query: parse(query || ''), user };
  const { body, status } = await run(samlp.auth(options), request);
  if (!body) throw new Error(`answered ${status}`);
  const format = (more && more.nameIdentifierFormat) || 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
  signIns.push({
    serviceProviderId: service.entityId,
    serviceProviderLogoutURL: service.logout,
    sessionIndex: index,
    nameId: person.subject,
    nameIdFormat: format,
    cert: service.certificate,
    binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
  });
  return formIn(body);
}

async function logout(request) {
  const participants = {
    get: (issuer, indexes, name, done) =>
      done(null, signIns.find((one) => indexes.includes(one.sessionIndex) && one.nameId === name)),
    hasElements: () => signIns.length > 0,
    getFirst: (done) => done(null, signIns[0]),
    remove: (issuer, index, name, done) => {
      const at = signIns.findIndex((one) => one.sessionIndex === index && one.nameId === name);
      done(null, at < 0 ? undefined : signIns.splice(at, 1)[0]);
    },
  };
  const options = {
    ...shared(),
    deflate: true,
    protocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
    sessionParticipants: participants,
    getCredentials: (issuer, indexes, name, done) => done(null, { cert: service.certificate }),
  };
  const { location, body, status } = await run(samlp.logout(options), request);
  return location ? { location } : body ? formIn(body) : { status };
}

const answers = {
  metadata: async () => {
    const options = {
      ...shared(),
      redirectEndpointPath: '/sso',
      postEndpointPath: '/sso',
      logoutEndpointPaths: { redirect: '/slo' },
    };
    return { metadata: (await run(samlp.metadata(options), {})).body };
  },
  learn: async (told) => {
    service = told;
    return {};
  },
  signIn,
  logout: ({ query }) => logout({ query: parse(query || '') }),
  switchKeys: async () => {
    key = settings.keys[1];
    return {};
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  let answer;
  try {
    const { ask, ...rest } = JSON.parse(line);
    answer = await answers[ask](rest);
  } catch (error) {
    answer = { error: String(error && error.stack ? error.stack : error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
