"""The PyPI package oic as an application, with its own way to ask for everything: userinfo by POST, with the token in the form.
Prints the address to go to, reads the one that the browser came back at, and prints what it learned."""

import base64
import hashlib
import json
import sys

from oic import rndstr
from oic.oic import Client
from oic.oic.message import AuthorizationResponse, RegistrationResponse
from oic.utils.authn.client import CLIENT_AUTHN_METHOD

asked = json.loads(sys.argv[1])
client = Client(client_authn_method=CLIENT_AUTHN_METHOD)
client.provider_config(asked["issuer"])
client.store_registration_info(
    RegistrationResponse(client_id=asked["clientId"], client_secret=asked["secret"], redirect_uris=[asked["redirectUri"]])
)
client.redirect_uris = [asked["redirectUri"]]
state, nonce, verifier = rndstr(32), rndstr(32), rndstr(64)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
request = client.construct_AuthorizationRequest(
    request_args={
        "client_id": asked["clientId"],
        "response_type": "code",
        "scope": ["openid", "email", "profile"],
        "nonce": nonce,
        "state": state,
        "redirect_uri": asked["redirectUri"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
)
print(request.request(client.authorization_endpoint), flush=True)

back = sys.stdin.readline().strip()
answer = client.parse_response(AuthorizationResponse, info=back.split("?", 1)[1], sformat="urlencoded")
assert answer["state"] == state, answer
tokens = client.do_access_token_request(
    state=state,
    request_args={"code": answer["code"], "redirect_uri": asked["redirectUri"], "code_verifier": verifier},
    authn_method="client_secret_basic",
)
claims = tokens["id_token"].to_dict()
assert claims["nonce"] == nonce, claims
userinfo = client.do_user_info_request(state=state).to_dict()
following = client.do_access_token_refresh(state=state, authn_method="client_secret_basic").to_dict()
print(
    json.dumps(
        {
            "claims": claims,
            "userinfo": userinfo,
            "isRotated": following["refresh_token"] != tokens["refresh_token"],
        },
        default=lambda one: one.to_dict() if hasattr(one, "to_dict") else str(one),
    )
)
