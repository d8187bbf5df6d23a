"""pg8000 as a worker: see workers/CONTRACT.md."""

import json
import os
import socket
import ssl
import sys
import threading
from importlib.metadata import version

from pg8000.native import Connection, DatabaseError

QUERY = (
    "SELECT ssl, version, cipher FROM pg_catalog.pg_stat_ssl"
    " WHERE pid = pg_catalog.pg_backend_pid()"
)

# The name that pg8000 dials is the one that ssl verifies (core.py, _make_socket:
# create_connection((host, port)), wrap_socket(server_hostname=host)). So names resolve
# here to what the harness says, without DNS. A connected socket given as `sock` would
# open a connection before pg8000 has looked at its parameters.
ADDRESSES = {}
create_connection = socket.create_connection


def dial(address, *args, **kwargs):
    host, port = address
    return create_connection((ADDRESSES[host, port], port), *args, **kwargs)


socket.create_connection = dial


def context(sslrootcert):
    """What the user's program makes of the file; `system` is ssl's own default."""
    return ssl.create_default_context(
        cafile=None if sslrootcert == "system" else sslrootcert
    )


# The ways in which users set pg8000 up: what each adds to the parameters.
CONFIGURATIONS = {
    "default": lambda attempt: {},
    "context": lambda attempt: {"ssl_context": context(attempt["sslrootcert"])},
    "no-tls": lambda attempt: {"ssl_context": False},
}


def say(message):
    # One write of a whole line, whichever thread it comes from.
    os.write(1, (json.dumps(message) + "\n").encode())


def causes(error):
    """The error as a user reads it, and what it was caused by."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__
    return ": ".join(texts)


def sqlstate(error):
    return error.args[0].get("C") if isinstance(error, DatabaseError) else None


def reply(connection, query):
    try:
        rows = connection.run(query)
    except DatabaseError as error:
        return {"error": {"message": causes(error), "sqlstate": sqlstate(error)}}
    columns = [column["name"] for column in connection.columns or []]
    return {"rows": {"columns": columns, "rows": rows or []}}


def attempt_outcome(attempt, deadline):
    ADDRESSES[attempt["host"], attempt["port"]] = attempt["hostaddr"]
    try:
        parameters = {
            key: attempt[key] for key in ("user", "password", "database", "host", "port")
        }
        parameters |= CONFIGURATIONS[attempt["configuration"]](attempt)
        if attempt["sslmode"] is not None:
            parameters["sslmode"] = attempt["sslmode"]
        parameters |= {"application_name": "rds-tls", "timeout": deadline}
        connection = Connection(**parameters, **attempt["options"])
    except Exception as error:  # whatever a user's program would end with
        return {"result": "refused", "message": causes(error), "sqlstate": sqlstate(error)}
    with connection:
        # Values as text.
        connection.pg_types.clear()
        connection.pg_types.default_factory = lambda: str
        (row,) = connection.run(QUERY)
        session = {"ssl": row[0] == "t", "version": row[1], "cipher": row[2]}
        # pg8000 does not say whether TLS is in use.
        outcome = {"result": "connected", "tls": None, "session": session}
        if attempt.get("query") is not None:
            outcome["reply"] = reply(connection, attempt["query"])
        return outcome


def play(request):
    attempt = request["attempt"]
    try:
        if attempt["configuration"] not in CONFIGURATIONS:
            raise ValueError(f"pg8000 has no configuration {attempt['configuration']}")
        outcome = attempt_outcome(attempt, request["deadline_ms"] / 1000)
        say({"outcome": {"id": attempt["id"]} | outcome})
    except Exception as error:
        say({"could_not_run": {"id": attempt["id"], "why": causes(error)}})


say(
    {
        "hello": {
            "contract": 1,
            "driver": "pg8000",
            "version": version("pg8000"),
            "tls": ssl.OPENSSL_VERSION,
            "configurations": list(CONFIGURATIONS),
            "capabilities": ["key-value", "system-roots"],
        }
    }
)
for line in sys.stdin:
    threading.Thread(target=play, args=(json.loads(line),), daemon=True).start()
# Attempts that are under way end with the process.
os._exit(0)
