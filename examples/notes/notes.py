#!/usr/bin/env python3
"""Notes behind Vestibule: an application without accounts, members or roles of its own. Python's standard library is enough.

    PERMISSIONS_FILE=examples/notes/permissions.toml bin/run                  # sign up there, and make an organisation "acme"
    VESTIBULE=http://localhost:3000 python3 examples/notes/notes.py           # then http://localhost:4000/acme
    python3 examples/notes/notes.py forget vestibule user list --json         # each night: people who left

Each request asks Vestibule anew who somebody is and what they may do, with the visitor's cookie. Each WHERE names the organisation,
by the id that Vestibule answers with. When people delete their account, their notes stay without their id and name.
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
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs, quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

VESTIBULE = os.environ.get("VESTIBULE", "http://localhost:3000")
DATABASE = os.environ.get("NOTES_DATABASE", "notes.db")
PORT = int(os.environ.get("NOTES_PORT", "4000"))
SESSIONS = ("__Host-session", "session")  # over https, and on localhost
NOTHING, NOT_ALLOWED = "There is nothing here.", "You may not do that here. An owner can let you."


HEAD = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Notes</title><main><h1>Notes</h1>'


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
    """What Vestibule says to this visitor: it gets no other cookie than their session's, and who their browser is and where."""
    cookies = (cookie.strip() for cookie in environ.get("HTTP_COOKIE", "").split(";"))
    own = "; ".join(cookie for cookie in cookies if cookie.partition("=")[0] in SESSIONS)
    client = ", ".join(filter(None, (environ.get("HTTP_X_FORWARDED_FOR"), environ["REMOTE_ADDR"])))
    headers = {"Cookie": own, "User-Agent": environ.get("HTTP_USER_AGENT", ""), "X-Forwarded-For": client, "Accept": "application/json"}
    request = urllib.request.Request(VESTIBULE + path, body and json.dumps(body).encode(), {**headers, "Content-Type": "application/json"})
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
        raise Refused(404, NOTHING)
    return said["user"]["id"], said["organisation"]["id"], [result["allowed"] for result in said["results"]]


def require(environ, organisation, action, owner=None):
    user, organisation_id, (allowed,) = check(environ, organisation, (action, owner))
    if not allowed:
        raise Refused(403, NOT_ALLOWED)
    return user, organisation_id


def index(environ, conn, organisation):
    actions = [(action, None) for action in ("read", "create", "update", "delete", "update-own", "delete-own")]
    user, organisation_id, (read, create, update, delete, update_own, delete_own) = check(environ, organisation, *actions)
    if not read:
        raise Refused(403, NOT_ALLOWED)
    notes = []
    for row in conn.execute("SELECT * FROM notes WHERE organisation_id = ? ORDER BY created_at DESC, id LIMIT 50", (organisation_id,)):
        note = {"id": row["id"], "text": row["text"], "author": row["author_name"] or "someone who left"}
        own = row["author_id"] == user
        notes.append({**note, "canUpdate": update or (update_own and own), "canDelete": delete or (delete_own and own)})
    return {"notes": notes, "canCreate": create}


def create(environ, conn, organisation):
    text = typed(environ)
    user, organisation_id = require(environ, organisation, "create")
    note, name = uuid.uuid4().hex, vestibule(environ, "/me")["user"]["name"]
    conn.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?, CURRENT_TIMESTAMP)", (note, organisation_id, user, name, text))
    return {"id": note}


def change(environ, conn, organisation, note, action):
    """Whose note it is has to be known before it can be asked about; who may not even read learns no more than that."""
    text = typed(environ) if action == "update" else None
    _, organisation_id = require(environ, organisation, "read")
    row = conn.execute("SELECT author_id FROM notes WHERE organisation_id = ? AND id = ?", (organisation_id, note)).fetchone()
    if row is None:
        raise Refused(404, NOTHING)
    require(environ, organisation, action, row["author_id"] or "nobody")
    if action == "update":
        conn.execute("UPDATE notes SET text = ? WHERE organisation_id = ? AND id = ?", (text, organisation_id, note))
    else:
        conn.execute("DELETE FROM notes WHERE organisation_id = ? AND id = ?", (organisation_id, note))
    return {"id": note}


def typed(environ):
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise Refused(400, "That is no length.")
    body = environ["wsgi.input"].read(min(int(length[:9]), 524_288))  # browsers read no answer before all is sent
    if len(body) > 65_536:
        raise Refused(413, "Too long.")
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
    parts, method = environ["PATH_INFO"].strip("/").split("/"), environ["REQUEST_METHOD"]
    if method not in ("GET", "HEAD", "POST"):
        raise Refused(405, "Only GET, HEAD and POST work here.")
    if (is_post := method == "POST") and is_foreign(environ):
        raise Refused(403, "That came from another site.")
    with closing(database()) as conn:
        match parts:
            case [organisation] if organisation:
                return (create if is_post else index)(environ, conn, organisation)
            case [organisation, note, *rest] if is_post and rest in ([], ["delete"]):
                return change(environ, conn, organisation, note, "delete" if rest else "update")
    raise Refused(404, NOTHING)


def page(path, answer):
    form = '<form method="post" action="{}"><textarea name="text" aria-label="{}">{}</textarea><button>{}</button></form>'
    parts = [form.format(path, "New note", "", "Add note") * answer["canCreate"], "<p>No notes yet.</p>" * (not answer["notes"])]
    for note in answer["notes"]:
        here, text = f"{path}/{note['id']}", html.escape(note["text"])
        parts += [f"<p>{text} — {html.escape(note['author'])}</p>", form.format(here, "Text", text, "Save") * note["canUpdate"]]
        parts += [f'<form method="post" action="{here}/delete"><button>Delete</button></form>' * note["canDelete"]]
    return "".join(parts)


def application(environ, start_response):
    wants_html = "text/html" in environ.get("HTTP_ACCEPT", "")
    path = "/" + quote(environ["PATH_INFO"].split("/")[1])
    status, headers = 200, [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Allow", "GET, HEAD, POST")]
    try:
        answer = route(environ)
        if wants_html and environ["REQUEST_METHOD"] == "POST":
            status, headers, body = 303, headers + [("Location", path)], ""
        else:
            body = page(path, answer) if wants_html else json.dumps(answer)
    except Refused as refused:
        status, sentence = refused.args
        sign_in = f' <a href="{html.escape(VESTIBULE)}/login?next={quote(path, "")}">Sign in</a>' if status == 401 else ""
        body = f"<p>{sentence}{sign_in}</p>" if wants_html else json.dumps({"error": sentence})
    body, kind = (f"{HEAD}{body}</main></html>", "text/html") if wants_html else (body, "application/json")
    start_response(f"{status} -", headers + [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body.encode())))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body.encode()]


def forget(command):
    """Takes out the authors who have no account any more. They are read first: people who sign up meanwhile are none of them."""
    conn = database()
    authors = {row[0] for row in conn.execute("SELECT DISTINCT author_id FROM notes WHERE author_id IS NOT NULL")}
    accounts = {json.loads(line)["id"] for line in subprocess.check_output(command, text=True).splitlines()}
    if not accounts:
        sys.exit("The command lists no account: nothing was changed.")
    conn.executemany("UPDATE notes SET author_id = NULL, author_name = NULL WHERE author_id = ?", [(gone,) for gone in authors - accounts])


if __name__ == "__main__":
    if sys.argv[1:2] == ["forget"]:
        forget(sys.argv[2:]) if sys.argv[2:] else sys.exit("Usage: notes.py forget vestibule user list --json")
    else:
        WSGIRequestHandler.log_message = lambda *_: None
        threaded = type("Server", (ThreadingMixIn, WSGIServer), {})  # one request that waits holds no other up
        try:
            make_server("127.0.0.1", PORT, application, threaded).serve_forever()
        except OSError as error:
            sys.exit(f"Port {PORT} can't be used ({error.strerror}). Choose another with NOTES_PORT.")
