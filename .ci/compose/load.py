"""Clients at work until SIGTERM: exits with 1 where one request was not answered as it should be, and says which.

    load.py ADDRESS TOKEN
"""

import collections
import http.client
import json
import signal
import sys
import threading
import urllib.parse

CLIENTS = 4
address, token = sys.argv[1:]
host = urllib.parse.urlsplit(address).netloc
end = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: end.set())
answers, failures = collections.Counter(), []


def sign_up(client, round):
    name = f"client{client}n{round}"
    return "POST", "/api/v1/auth/signup", {"email": f"{name}@example.com", "username": name, "password": "a secret"}, 201


def log_in(client, round):
    name = f"client{client}n{round}"
    return "POST", "/api/v1/auth/login", {"email": f"{name}@example.com", "password": "a secret"}, 200


def list_users(client, round):
    return "GET", "/api/v1/auth/users?per_page=3", None, 200


def work(client):
    round = 0
    connection = http.client.HTTPConnection(host, timeout=30)
    while not end.is_set():
        round += 1
        for request in (sign_up, log_in, list_users):
            method, path, body, expected = request(client, round)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                outcome = answer.status
            except Exception as error:
                outcome, text = repr(error), b""
                connection.close()
            answers[outcome] += 1
            if outcome != expected:
                failures.append(f"{method} {path} of client {client}, round {round}: {outcome} {text[:200]}")
    connection.close()


threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
for thread in threads:
    thread.start()
end.wait()
for thread in threads:
    thread.join()
print("answers:", dict(answers))
print(*failures[:20], sep="\n")
sys.exit(bool(failures) or not answers)
