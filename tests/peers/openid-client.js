// The npm package openid-client as an application: signs its visitor in by what discovery tells, and uses everything that it gets.
// Prints the address to go to, reads the one that the browser came back at, and prints what it learned.
'use strict';

const readline = require('node:readline');
const { pathToFileURL } = require('node:url');

const { issuer, clientId, secret, redirectUri } = JSON.parse(process.argv[2]);

async function main() {
  const oidc = await import(pathToFileURL(require.resolve('openid-client')));
  const execute = [oidc.allowInsecureRequests];
  const authentication = secret ? oidc.ClientSecretBasic(secret) : oidc.None();
  const config = await oidc.discovery(new URL(issuer), clientId, undefined, authentication, { execute });

  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const location = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email profile offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    max_age: '3600',
  });
  console.log(location.href);

  const [back] = await new Promise((resolve) => {
    const lines = [];
    readline.createInterface({ input: process.stdin }).on('line', (line) => {
      lines.push(line);
      resolve(lines);
    });
  });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 3600 };
  const tokens = await oidc.authorizationCodeGrant(config, new URL(back), { ...checks, idTokenExpected: true });
  const claims = tokens.claims();
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
  const next = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  // Only an application with a secret may ask.
  const introspect = () => (secret ? oidc.tokenIntrospection(config, next.access_token) : null);
  const introspected = await introspect();
  await oidc.tokenRevocation(config, next.refresh_token);
  const revoked = await introspect();
  const logout = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token }).href;
  console.log(JSON.stringify({ claims, userinfo, introspected, revoked, logout, isRotated: next.refresh_token !== tokens.refresh_token }));
  process.exit(0);
}

main().catch((error) => {
  console.log(JSON.stringify({ failed: `${error.code} ${error.message} ${JSON.stringify(error.cause ?? '')}` }));
  process.exit(1);
});
