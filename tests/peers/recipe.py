"""Serves the recipe for Django, a module `visitor` beside the current folder, with one page that says who is there."""

import os
import sys
from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

sys.path.insert(0, os.getcwd())
settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=["visitor.Visitor"], ROOT_URLCONF=__name__, SECRET_KEY="of no use")
urlpatterns = [path("", lambda request: JsonResponse(request.visitor, safe=False))]
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402  (reads the settings)

make_server("127.0.0.1", int(os.environ["PORT"]), WSGIHandler()).serve_forever()
