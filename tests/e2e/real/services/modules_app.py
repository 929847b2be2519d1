# SPDX-License-Identifier: GPL-2.0-or-later
"""A service that loads what LOAD names, and what looks as if it were loaded: text with the paths of modules that are not."""

import importlib
import os

for name in os.environ["LOAD"].split():
    importlib.import_module(name)

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(importlib.util.find_spec("flask").origin)))
DECOYS = [f"GET {PACKAGES}/{path} 200" for path in ("requests/sessions.py", "django/core/handlers/base.py")]
DECOYS.append(PACKAGES + "/myrequests/sessions.py")
DECOYS.append("requests/sessions.py")

if "fastapi" in os.environ["LOAD"]:
    import fastapi

    app = fastapi.FastAPI()
    app.get("/")(lambda: {"decoys": len(DECOYS)})
else:
    import flask

    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=lambda: {"decoys": len(DECOYS)})
