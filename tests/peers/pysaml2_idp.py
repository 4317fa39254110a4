"""pysaml2 as an identity provider, with its defaults but for what each is told of the service.

A line of JSON on standard input asks something of it, a line on standard output answers: see tests/suite/peers/mod.rs.
"""

import json
import logging
import sys
import tempfile
import traceback
from html import unescape
from pathlib import Path
from re import findall, search
from urllib.parse import parse_qs

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

SETTINGS = json.loads(sys.argv[1])
FOLDER = Path(tempfile.mkdtemp())


class Provider:
    def __init__(self):
        self.key, self.service, self.signed_in, self.server = 0, None, [], None

    def config(self):
        base, key = SETTINGS["base"], SETTINGS["keys"][self.key]
        files = {}
        for name in ("private", "certificate"):
            files[name] = FOLDER / f"{name}-{self.key}.pem"
            files[name].write_text(key[name])
        service = self.service or {}
        settings = {
            "entityid": f"{base}/metadata",
            "key_file": str(files["private"]),
            "cert_file": str(files["certificate"]),
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(f"{base}/sso", BINDING_HTTP_REDIRECT)],
                        "single_logout_service": [(f"{base}/slo", BINDING_HTTP_REDIRECT)],
                    },
                    # Its default signs nothing, which nobody takes.
                    "sign_assertion": True,
                    "want_authn_requests_signed": bool(service.get("checksRequests")),
                }
            },
        }
        if service.get("signsWithSha256"):
            settings["service"]["idp"]["signing_algorithm"] = SIG_RSA_SHA256
            settings["service"]["idp"]["digest_algorithm"] = DIGEST_SHA256
        if service:
            settings["metadata"] = {"inline": [service["metadata"]]}
        return IdPConfig().load(settings)

    def start(self):
        previous = self.server
        self.server = Server(config=self.config())
        if previous:
            self.server.ident = previous.ident
            self.server.session_db = previous.session_db

    def metadata(self, _):
        return {"metadata": str(entity_descriptor(self.config()))}

    def learn(self, told):
        self.service = told
        self.start()
        return {}

    def switch_keys(self, _):
        self.key = 1
        if self.service:
            self.start()
        return {}

    def sign_in(self, asked):
        person, service, arguments = asked["person"], self.service, {}
        if asked.get("query"):
            fields = {name: values[0] for name, values in parse_qs(asked["query"]).items()}
            request = self.server.parse_authn_request(
                fields["SAMLRequest"],
                BINDING_HTTP_REDIRECT,
                relay_state=fields.get("RelayState"),
                sigalg=fields.get("SigAlg"),
                signature=fields.get("Signature"),
            )
            arguments = self.server.response_args(request.message)
            relay_state = fields.get("RelayState", "")
        else:
            arguments = {
                "in_response_to": None,
                "destination": service["acs"],
                "sp_entity_id": service["entityId"],
                "name_id_policy": None,
            }
            relay_state = asked.get("relayState", "")
        arguments.pop("binding", None)
        identity = {
            "mail": [person["email"]],
            "displayName": [person["name"]],
            "uid": [person["subject"]],
            "eduPersonAffiliation": person["groups"],
        }
        response = self.server.create_authn_response(
            identity,
            userid=person["subject"],
            authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": SETTINGS["base"]},
            encrypt_assertion=bool(service.get("encrypts")),
            **arguments,
        )
        sent = self.server.apply_binding(
            BINDING_HTTP_POST, str(response), service["acs"], relay_state, response=True
        )
        return form_in("".join(sent["data"]))

    def logout(self, asked):
        if asked.get("query"):
            return self.answer_logout(asked["query"])
        # Begun here: of the one who signed in last.
        name_id, index = self.last()
        message_id, request = self.server.create_logout_request(
            self.service["logout"], self.service["entityId"], name_id=name_id, session_indexes=[index], sign=False
        )
        sent = self.server.apply_binding(
            BINDING_HTTP_REDIRECT, str(request), self.service["logout"], "there", sign=True
        )
        return {"location": dict(sent["headers"])["Location"]}

    def answer_logout(self, query):
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        if "SAMLResponse" in fields:
            answer = self.server.parse_logout_request_response(fields["SAMLResponse"], BINDING_HTTP_REDIRECT)
            return {"status": 200 if answer.status_ok() else 500}
        request = self.server.parse_logout_request(
            fields["SAMLRequest"],
            BINDING_HTTP_REDIRECT,
            relay_state=fields.get("RelayState"),
            sigalg=fields.get("SigAlg"),
            signature=fields.get("Signature"),
        )
        name_id, index = self.last()
        if (request.message.name_id.text, request.message.session_index[0].text) != (name_id.text, index):
            raise ValueError("a session that is not here")
        response = self.server.create_logout_response(request.message, [BINDING_HTTP_REDIRECT], sign=False)
        sent = self.server.apply_binding(
            BINDING_HTTP_REDIRECT,
            str(response),
            self.service["logout"],
            fields.get("RelayState", ""),
            response=True,
            sign=True,
        )
        return {"location": dict(sent["headers"])["Location"]}

    def last(self):
        """The NameID and the index of the last session."""
        assertions = list(self.server.session_db.assertion.values())
        assertion = assertions[-1][0] if isinstance(assertions[-1], tuple) else assertions[-1]
        name_id: NameID = assertion.subject.name_id
        return name_id, assertion.authn_statement[0].session_index


def form_in(page):
    fields = dict(
        (name, unescape(value))
        for name, value in findall(r'name="(SAML\w+|RelayState)"\s+value="([^"]*)"', page)
    )
    return {"action": unescape(search(r'action="([^"]*)"', page)[1]), "fields": fields}


def main():
    logging.disable(logging.CRITICAL)
    provider = Provider()
    answers = {
        "metadata": provider.metadata,
        "learn": provider.learn,
        "signIn": provider.sign_in,
        "logout": provider.logout,
        "switchKeys": provider.switch_keys,
    }
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = answers[asked.pop("ask")](asked)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


main()
