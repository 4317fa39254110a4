// The npm package oauth4webapi as an application: every step by itself, with every check of the answers that it has. Prints the
// address to go to, reads the one that the browser came back at, and prints what it learned.
'use strict';

const readline = require('node:readline');
const { pathToFileURL } = require('node:url');

const { issuer, clientId, secret, redirectUri } = JSON.parse(process.argv[2]);

async function main() {
  const oauth = await import(pathToFileURL(require.resolve('oauth4webapi')));
  const insecure = { [oauth.allowInsecureRequests]: true };
  const site = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(site, await oauth.discoveryRequest(site, insecure));
  const client = { client_id: clientId, require_auth_time: true };
  const authentication = secret ? oauth.ClientSecretPost(secret) : oauth.None();

  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const location = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid email profile offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })) location.searchParams.set(name, value);
  console.log(location.href);

  const lines = readline.createInterface({ input: process.stdin });
  const { value: back } = await lines[Symbol.asyncIterator]().next();
  const parameters = oauth.validateAuthResponse(as, client, new URL(back), state);
  const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, redirectUri, verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, answer, insecure);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const told = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
  const userinfo = await oauth.processUserInfoResponse(as, client, claims.sub, told);
  const refreshed = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, insecure);
  const next = await oauth.processRefreshTokenResponse(as, client, refreshed);
  const again = oauth.getValidatedIdTokenClaims(next);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, next.refresh_token, insecure));
  console.log(JSON.stringify({ claims, userinfo, again, isRotated: next.refresh_token !== tokens.refresh_token }));
  process.exit(0);
}

main().catch((error) => {
  console.log(JSON.stringify({ failed: `${error.code} ${error.message} ${JSON.stringify(error.cause ?? '')}` }));
  process.exit(1);
});
