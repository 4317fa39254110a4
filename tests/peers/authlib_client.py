"""The PyPI package Authlib as an application: signs its visitor in by what discovery tells, with the code and the ID token checked by
it. Prints the address to go to, reads the one that the browser came back at, and prints what it learned."""

import json
import sys

import httpx
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt

asked = json.loads(sys.argv[1])
metadata = httpx.get(asked["issuer"] + "/.well-known/openid-configuration").json()
client = OAuth2Client(
    asked["clientId"],
    asked["secret"],
    token_endpoint_auth_method="client_secret_basic" if asked["secret"] else "none",
    scope="openid email profile offline_access",
    redirect_uri=asked["redirectUri"],
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token(24)
location, state = client.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(location, flush=True)

back = sys.stdin.readline().strip()
tokens = client.fetch_token(
    metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
)
keys = jwk.KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())


def checked(token, nonce):
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    claims = CodeIDToken(
        claims.claims,
        claims.header,
        {"iss": {"value": metadata["issuer"]}, "aud": {"value": asked["clientId"]}},
        {"nonce": nonce, "client_id": asked["clientId"], "access_token": token["access_token"]},
    )
    claims.validate()
    return claims


claims = checked(tokens, nonce)
userinfo = client.get(metadata["userinfo_endpoint"]).json()
following = client.refresh_token(metadata["token_endpoint"], tokens["refresh_token"])
again = checked(following, None)
revoked = client.revoke_token(metadata["revocation_endpoint"], following["refresh_token"]).status_code
print(
    json.dumps(
        {
            "claims": claims,
            "userinfo": userinfo,
            "again": again,
            "isRotated": following["refresh_token"] != tokens["refresh_token"],
            "revoked": revoked,
        }
    )
)
