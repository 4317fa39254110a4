// The npm package oauth2-mock-server, which answers as it is told: one case after the other, by its name on a line of standard
// input, with the time in seconds. Prints its issuer and the cases, each with the reason for which it is to be refused, once it
// listens; and a line for each case that it is ready for.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const readline = require('node:readline');

const encode = (part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
const keys = Object.fromEntries(
  ['first', 'stranger'].map((kid) => [kid, crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })]),
);
const sign = (header, payload, { key = 'first', hash = 'sha256', pss = false } = {}) => {
  const message = `${encode(header)}.${encode(payload)}`;
  const padding = pss ? crypto.constants.RSA_PKCS1_PSS_PADDING : crypto.constants.RSA_PKCS1_PADDING;
  const options = { key: keys[key].privateKey, padding, saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST };
  return `${message}.${crypto.sign(hash, Buffer.from(message), options).toString('base64url')}`;
};
const hmac = (header, payload, key) => {
  const message = `${encode(header)}.${encode(payload)}`;
  return `${message}.${crypto.createHmac('sha256', key).update(message).digest('base64url')}`;
};
const without = (claims, name) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));

const header = { alg: 'RS256', typ: 'JWT', kid: 'first' };
// A case whose claims, or whose header, are others.
const claims = (change) => (said, now) => sign(header, change(said, now));
const headers = (more, how) => (said) => sign({ ...header, ...more }, said, how);
// A case whose token is another text, or whose whole answer is another one.
const text = (change) => (said, now) => change(sign(header, said), said, now);
const answer = (body, status = 200) => () => ({ status, body });

// Name, the reason for which it is refused, or null, and the ID token.
const CASES = [
  ['alg none', 'bad_algorithm', (said) => `${encode({ ...header, alg: 'none' })}.${encode(said)}.`],
  ['HS256 with the public key', 'bad_algorithm',
    (said) => hmac({ ...header, alg: 'HS256' }, said, keys.first.publicKey.export({ type: 'spki', format: 'pem' }))],
  ['HS256 with the client secret', 'bad_algorithm', (said) => hmac({ ...header, alg: 'HS256' }, said, 'a secret')],
  ['RS256 said, PS256 done', 'bad_signature', headers({}, { pss: true })],
  ['a stranger signs', 'bad_signature', headers({}, { key: 'stranger' })],
  ['a kid of nobody', 'unknown_key', headers({ kid: 'nobody' })],
  ['crit', 'bad_token', headers({ crit: ['exp'] })],
  ['b64', 'bad_token', headers({ b64: false })],
  ['an access token', 'bad_token', headers({ typ: 'at+jwt' })],
  ['a logout token', 'bad_token', headers({ typ: 'logout+jwt' })],
  ['two parts', 'bad_token', text((token) => token.split('.').slice(0, 2).join('.'))],
  ['encrypted', 'encrypted_token', text((token) => `${token}.a.b`)],
  ['nested', 'bad_token', (said) => sign({ ...header, cty: 'JWT' }, sign(header, said))],
  ['a list', 'bad_token', claims((said) => [said])],
  ['one key twice', 'bad_token',
    (said) => sign(header, JSON.stringify(said).replace('{', '{"sub":"eve",'))],
  ['too large', 'bad_token', claims((said) => ({ ...said, more: 'x'.repeat(37000) }))],
  ['another letter', 'bad_signature', text((token) => token.replace(/.(.)$/, (end) => (end[0] === 'A' ? 'B' : 'A') + end[1]))],
  ['aud of another', 'another_audience', claims((said) => ({ ...said, aud: 'them' }))],
  ['aud of two', 'another_audience', claims((said) => ({ ...said, aud: ['us', 'them'] }))],
  ['azp of another', 'another_audience', claims((said) => ({ ...said, aud: ['us', 'them'], azp: 'them' }))],
  ['aud with a number', 'another_audience', claims((said) => ({ ...said, aud: ['us', 1] }))],
  ['exp over', 'too_old', claims((said, now) => ({ ...said, exp: now - 61 }))],
  ['exp missing', 'no_time', claims((said) => without(said, 'exp'))],
  ['exp as text', 'no_time', claims((said) => ({ ...said, exp: String(said.exp) }))],
  ['nbf to come', 'too_new', claims((said, now) => ({ ...said, nbf: now + 61 }))],
  ['iat to come', 'too_new', claims((said, now) => ({ ...said, iat: now + 61 }))],
  ['iat of before', 'too_old', claims((said, now) => ({ ...said, iat: now - 61 }))],
  ['nonce missing', 'another_nonce', claims((said) => without(said, 'nonce'))],
  ['another nonce', 'another_nonce', claims((said) => ({ ...said, nonce: 'x' }))],
  ['sub missing', 'no_name', claims((said) => without(said, 'sub'))],
  ['sub empty', 'no_name', claims((said) => ({ ...said, sub: '' }))],
  ['sub as a number', 'no_name', claims((said) => ({ ...said, sub: 7 }))],
  ['sub too long', 'no_name', claims((said) => ({ ...said, sub: 'x'.repeat(256) }))],
  ['iss with a slash', 'another_issuer', claims((said) => ({ ...said, iss: `${said.iss}/` }))],
  ['iss missing', 'another_issuer', claims((said) => without(said, 'iss'))],
  ['at_hash of another', 'another_access_token', claims((said) => ({ ...said, at_hash: 'x' }))],
  ['no ID token', 'no_id_token', answer({ access_token: 'x', token_type: 'Bearer' })],
  ['the code was used', 'bad_code', answer({ error: 'invalid_grant' }, 400)],
  ['the secret is wrong', 'bad_secret', answer({ error: 'invalid_client' }, 401)],
  ['more than a mebibyte', 'no_answer', answer({ access_token: 'x', token_type: 'Bearer', more: 'x'.repeat(2 ** 20) })],
  ['user information of another', 'another_person', claims((said) => ({ ...without(said, 'email'), sub: 'eve' }))],
  ['as it is', null, text((token) => token)],
  ['aud of one in a list', null, claims((said) => ({ ...said, aud: ['us'], azp: 'us' }))],
  ['aud of two, for us', null, claims((said) => ({ ...said, aud: ['us', 'them'], azp: 'us' }))],
  ['no kid, no typ', null, (said) => sign({ alg: 'RS256' }, said)],
  ['clocks apart', null, claims((said, now) => ({ ...said, iat: now + 59, nbf: now + 59, exp: now - 59 }))],
  ['the address in user information', null, claims((said) => without(said, 'email'))],
];

const main = async () => {
  const { OAuth2Server } = await import('oauth2-mock-server');
  const server = new OAuth2Server();
  await server.issuer.keys.add({ ...keys.first.privateKey.export({ format: 'jwk' }), kid: 'first', alg: 'RS256' });
  // Its own metadata lists no way for a client to show a secret.
  const own = server.service.requestHandler;
  const front = http.createServer((req, res) => {
    if (req.url === '/.well-known/openid-configuration') {
      const end = res.end.bind(res);
      res.end = (text) => {
        const said = { ...JSON.parse(text), token_endpoint_auth_methods_supported: ['client_secret_basic'] };
        res.removeHeader('content-length');
        res.removeHeader('etag');
        return end(JSON.stringify(said));
      };
    }
    own(req, res);
  });
  await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${front.address().port}`;
  server.issuer.url = issuer;
  let asked = { name: 'as it is', now: 0 };
  server.service.on('beforeResponse', (response) => {
    const { nonce } = JSON.parse(Buffer.from(response.body.id_token.split('.')[1], 'base64url'));
    const said = {
      iss: issuer, aud: 'us', sub: 'bea', email: 'bea@acme.example', nonce, iat: asked.now, exp: asked.now + 300,
    };
    const made = CASES.find(([name]) => name === asked.name)[2](said, asked.now);
    if (typeof made === 'string') {
      response.body.id_token = made;
    } else {
      response.statusCode = made.status;
      response.body = made.body;
    }
  });
  server.service.on('beforeUserinfo', (response) => {
    response.body = { sub: 'bea', email: 'bea@acme.example' };
  });
  console.log(JSON.stringify({ issuer, cases: CASES.map(([name, reason]) => [name, reason]) }));
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    asked = JSON.parse(line);
    console.log('ready');
  });
};

main();
