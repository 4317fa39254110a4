#!/usr/bin/env python3
"""Notes behind Vestibule: an application without accounts, members or roles of its own. Python's standard library is enough.

    PERMISSIONS_FILE=examples/notes/permissions.toml vestibule serve
    VESTIBULE=http://localhost:3000 python3 examples/notes/notes.py           # then http://localhost:4000/acme
    python3 examples/notes/notes.py forget vestibule user list --json         # each night: people who left

Who somebody is and what they may do is asked with the visitor's cookie, anew for each request. Each WHERE names the organisation,
by the id that Vestibule answers with. Whoever deletes their account is somebody who left: the text stays, their id and name go.
"""

import html
import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
import uuid
from contextlib import closing
from http.cookies import SimpleCookie
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs, quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

VESTIBULE = os.environ.get("VESTIBULE", "http://localhost:3000")
DATABASE = os.environ.get("NOTES_DATABASE", "notes.db")
PORT = int(os.environ.get("NOTES_PORT", "4000"))
SESSIONS = ("__Host-session", "session")  # over https, and on localhost


class Refused(Exception):
    """An answer that is no page: its arguments are a status and a sentence."""


def database():
    conn = sqlite3.connect(DATABASE, isolation_level=None)
    conn.row_factory = sqlite3.Row
    conn.executescript(
        "PRAGMA secure_delete = on; CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY, organisation_id TEXT NOT NULL,"
        " author_id TEXT, author_name TEXT, text TEXT NOT NULL, created_at TEXT NOT NULL)"
    )
    return conn


def vestibule(environ, path, body=None):
    """What Vestibule says to the visitor whose cookie came with this request. Nothing but that cookie is passed on."""
    cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    own = "; ".join(f"{name}={cookies[name].value}" for name in SESSIONS if name in cookies)
    headers = {"Accept": "application/json", "Content-Type": "application/json", "Cookie": own}
    request = urllib.request.Request(VESTIBULE + path, body and json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)
    except urllib.request.HTTPError as error:
        raise Refused(error.code, "Sign in first." if error.code == 401 else "That did not work.") from None
    except OSError:
        raise Refused(503, "Signing in is not possible right now. Try again in a minute.") from None


def check(environ, organisation, *checks):
    """Who asks, in which organisation, and whether they may: an answer for each (permission, owner)."""
    asked = [{"permission": f"notes:{action}", **({"owner": owner} if owner else {})} for action, owner in checks]
    said = vestibule(environ, "/auth/check", {"organisation": organisation, "checks": asked})
    if "organisation" not in said:  # no member, or no such organisation: strangers do not learn which
        raise Refused(404, "There is nothing here.")
    return said["user"]["id"], said["organisation"]["id"], [result["allowed"] for result in said["results"]]


def require(environ, organisation, action, owner=None):
    user, organisation_id, (allowed,) = check(environ, organisation, (action, owner))
    if not allowed:
        raise Refused(403, "You may not do that here. An owner can let you.")
    return user, organisation_id


def index(environ, conn, organisation):
    actions = [(action, None) for action in ("read", "create", "update", "delete", "update-own", "delete-own")]
    user, organisation_id, (read, create, update, delete, update_own, delete_own) = check(environ, organisation, *actions)
    if not read:
        raise Refused(403, "You may not do that here. An owner can let you.")
    query = "SELECT * FROM notes WHERE organisation_id = ? ORDER BY created_at DESC, id LIMIT 50"
    notes = [
        {
            "id": row["id"],
            "text": row["text"],
            "author": row["author_name"] or "someone who left",
            "canUpdate": update or (update_own and row["author_id"] == user),
            "canDelete": delete or (delete_own and row["author_id"] == user),
        }
        for row in conn.execute(query, (organisation_id,))
    ]
    return {"notes": notes, "canCreate": create}


def create(environ, conn, organisation):
    text = typed(environ)
    user, organisation_id = require(environ, organisation, "create")
    name = vestibule(environ, "/me")["user"]["name"]
    row = (uuid.uuid4().hex, organisation_id, user, name, text)
    conn.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?, CURRENT_TIMESTAMP)", row)
    return {"id": row[0]}


def change(environ, conn, organisation, note, action):
    """Whose note it is has to be known before it can be asked about; who may not even read learns no more than that."""
    text = typed(environ) if action == "update" else None
    _, organisation_id = require(environ, organisation, "read")
    where = (organisation_id, note)
    row = conn.execute("SELECT author_id FROM notes WHERE organisation_id = ? AND id = ?", where).fetchone()
    if row is None:
        raise Refused(404, "There is nothing here.")
    require(environ, organisation, action, row["author_id"] or "nobody")
    if action == "update":
        conn.execute("UPDATE notes SET text = ? WHERE organisation_id = ? AND id = ?", (text, *where))
    else:
        conn.execute("DELETE FROM notes WHERE organisation_id = ? AND id = ?", where)
    return {"id": note}


def typed(environ):
    body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 65_536))
    text = parse_qs(body.decode("utf-8", "replace")).get("text", [""])[0].strip()
    if not text:
        raise Refused(422, "Write something.")
    return text


def is_foreign(environ):
    """Whether another site's page sent it (CSRF): a cookie comes along with that as well."""
    site, origin, host = (environ.get(f"HTTP_{name}") for name in ("SEC_FETCH_SITE", "ORIGIN", "HOST"))
    return site not in ("same-origin", "none") if site else origin not in (None, f"http://{host}", f"https://{host}")


def route(environ):
    """GET /{organisation} · POST /{organisation} · POST /{organisation}/{note} · POST /{organisation}/{note}/delete"""
    parts = environ["PATH_INFO"].strip("/").split("/")
    is_post = environ["REQUEST_METHOD"] == "POST"
    if is_post and is_foreign(environ):
        raise Refused(403, "That came from another site.")
    with closing(database()) as conn:
        match parts:
            case [organisation] if organisation:
                return (create if is_post else index)(environ, conn, organisation)
            case [organisation, note] if is_post:
                return change(environ, conn, organisation, note, "update")
            case [organisation, note, "delete"] if is_post:
                return change(environ, conn, organisation, note, "delete")
    raise Refused(404, "There is nothing here.")


def page(path, answer):
    form = '<form method="post" action="{}"><textarea name="text" aria-label="Text">{}</textarea><button>Keep</button></form>'
    parts = [form.format(path, "")] if answer["canCreate"] else []
    for note in answer["notes"]:
        here = f"{path}/{note['id']}"
        parts.append(f"<p>{html.escape(note['text'])} — {html.escape(note['author'])}</p>")
        parts.append(form.format(here, html.escape(note["text"])) if note["canUpdate"] else "")
        parts.append(f'<form method="post" action="{here}/delete"><button>Delete</button></form>' if note["canDelete"] else "")
    return "".join(parts)


def application(environ, start_response):
    wants_html = "text/html" in environ.get("HTTP_ACCEPT", "")
    path = "/" + quote(environ["PATH_INFO"].split("/")[1])
    status, headers = 200, [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    try:
        answer = route(environ)
        if wants_html and environ["REQUEST_METHOD"] == "POST":
            status, headers, body = 303, headers + [("Location", path)], ""
        else:
            body = page(path, answer) if wants_html else json.dumps(answer)
    except Refused as refused:
        status, sentence = refused.args
        sign_in = f' <a href="{html.escape(VESTIBULE)}/login">Sign in</a>' if status == 401 else ""
        body = f"<p>{sentence}{sign_in}</p>" if wants_html else json.dumps({"error": sentence})
    kind, head = ("text/html", "<!doctype html><title>Notes</title>") if wants_html else ("application/json", "")
    start_response(f"{status} -", headers + [("Content-Type", f"{kind}; charset=utf-8")])
    return [(head + body).encode()]


def forget(command):
    """Whoever has no account any more is somebody who left. Authors first: who signs up meanwhile is none of them."""
    conn = database()
    authors = {row[0] for row in conn.execute("SELECT DISTINCT author_id FROM notes WHERE author_id IS NOT NULL")}
    listed = subprocess.check_output(command, text=True).splitlines()
    for gone in authors - {json.loads(line)["id"] for line in listed}:
        conn.execute("UPDATE notes SET author_id = NULL, author_name = NULL WHERE author_id = ?", (gone,))


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: one that waits for Vestibule holds no other up."""


if __name__ == "__main__":
    if sys.argv[1:2] == ["forget"]:
        forget(sys.argv[2:])
    else:
        WSGIRequestHandler.log_message = lambda *_: None
        make_server("127.0.0.1", PORT, application, Server).serve_forever()
