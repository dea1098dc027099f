#!/usr/bin/env python3
"""Makes the fixtures of this folder: one store of each kind, as Roster 0.1 leaves it, with everything that a store can hold.

README.md says what it needs and how to run it. Everything but the documents of the FastAPI service is written by the program
itself, which is driven over HTTP; it is killed, and its S3 taken away, where that leaves something behind.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from datetime import datetime

import bcrypt
from bson import Binary, ObjectId, json_util
from pymongo import MongoClient

HERE = pathlib.Path(__file__).parent
SIGNED_UP = datetime(2025, 2, 10, 11, 22, 19, 96000)
NFD = "pa\u0308sswo\u0308rd"
PASSWORDS = {}


def main():
    roster, s3, mongod = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Mongod(mongod, folder) as mongo:
            make_mongodb(roster, s3, mongo, folder)
            make_sqlite(roster, s3, mongo, folder)


def make_mongodb(roster, s3, mongo, folder):
    PASSWORDS.clear()
    database = mongo.client["fixture"]
    folder = folder / "mongodb"
    folder.mkdir()
    world = World(roster, s3, folder, {"DATABASE_URL": mongo.url, "DB_NAME": "fixture"})
    with world.s3, world.roster:
        # On an empty database, so that one document says that it is the first admin's.
        world.sign_up("first.admin@example.com", "first.admin", admin=True)
    original(database)
    dump(database, HERE / "fastapi", ["users", "trash", "refresh_tokens"], of_fastapi=True)
    world.live()
    # Who signed up at the FastAPI service while Roster stood still.
    database.users.insert_one(original_user(31, "Straggler@Example.com", "Straggler"))
    dump(database, HERE / "mongodb", ["users", "trash", "refresh_tokens", "roster_meta"])
    tell(HERE / "mongodb.expected.json", *read_mongodb(database))


def make_sqlite(roster, s3, mongo, folder):
    PASSWORDS.clear()
    database = mongo.client["original"]
    folder = folder / "sqlite"
    folder.mkdir()
    original(database)
    file = folder / "roster.db"
    url = f"sqlite://{file}"
    migrate = [roster, "migrate", "--from", f"{mongo.url}original", "--to", url]
    subprocess.run(migrate, check=True, cwd=folder)
    world = World(roster, s3, folder, {"DATABASE_URL": url})
    with world.s3, world.roster:
        world.sign_up("first.admin@example.com", "first.admin", admin=True)
    world.live()
    # It was killed last: what stands in the log goes into the file.
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    expected = read_sqlite(connection)
    connection.close()
    shutil.copy(file, HERE / "roster.db")
    os.chmod(HERE / "roster.db", 0o644)
    tell(HERE / "roster.db.expected.json", *expected)


# What the FastAPI service kept


def original_id(number):
    return ObjectId(bytes([0x67] * 11 + [number]))


def original_user(number, email, username, password=None, **more):
    password = password or f"password {number}"
    PASSWORDS[email] = password
    return {
        "_id": original_id(number),
        "email": email,
        "username": username,
        "password": Binary(bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)), 0),
        "role": "regular",
        "created_at": SIGNED_UP,
        "updated_at": None,
        "is_deleted": False,
        **more,
    }


def original(database):
    boss = {"role": "admin", "updated_by": str(original_id(2)), "updated_at": SIGNED_UP.replace(day=11)}
    in_bucket = "https://images.s3.eu-north-1.amazonaws.com/me.jpg_16adcd34-debb-4cc9-b907-e74be4cc65c3.jpg"
    users = [
        original_user(1, "Boss@Example.com", "TheBoss", profile_image="boss_1234.jpg", **boss),
        original_user(2, "with.text@example.com", "with text"),
        original_user(3, "grace@example.com", "gra\u200bce"),
        original_user(4, "filler@example.com", "\u3164"),
        original_user(5, "ΝΊΚΟΣ.Α@example.gr", "Νίκος.Α"),
        original_user(6, "STRAẞE.A@example.de", "STRAẞE.A"),
        original_user(7, "strasse.a@example.de", "strasse.a"),
        original_user(8, "trashed@example.com", "trashed", is_deleted=True),
        original_user(9, "no.entry@example.com", "no entry", is_deleted=True),
        original_user(10, "not an address", " spaced "),
        original_user(11, "nul@example.com", "nul\0 and \x07"),
        original_user(12, "long@example.com", "Lo" * 2500),
        original_user(13, "bucket@example.com", "e\u0301milie", profile_image=in_bucket),
        original_user(14, "nfd@example.com", "nfd", password=NFD),
        original_user(15, "long.password@example.com", "long password", password="long " * 20),
        original_user(16, "İstanbul@example.com", "İSTANBUL"),
    ]
    users[1]["password"] = users[1]["password"].decode()
    del users[2]["created_at"], users[2]["updated_at"]
    database.users.insert_many(users)
    entry = {"user_id": str(original_id(8)), "deleted_by": str(original_id(1)), "reason": "spam"}
    entries = [
        {"_id": original_id(101), **entry, "deleted_at": SIGNED_UP.replace(day=12)},
        {"_id": original_id(102), **entry, "deleted_at": SIGNED_UP.replace(day=14), "reason": "spam, again"},
        # Of somebody who came back, and of somebody who is gone.
        {"_id": original_id(103), **entry, "deleted_at": SIGNED_UP, "user_id": str(original_id(2))},
        {"_id": original_id(104), **entry, "deleted_at": SIGNED_UP, "user_id": str(original_id(99))},
    ]
    database.trash.insert_many(entries)
    token = {"user_id": str(original_id(1)), "refresh_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}
    database.refresh_tokens.insert_one({"_id": original_id(201), **token})


# What Roster is asked to do


class World:
    def __init__(self, roster, s3, folder, variables):
        self.s3, self.known = S3(s3, folder), {}
        variables = {
            "PORT": str(free_port()),
            "SECRET_KEY": "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE",
            "BCRYPT_COST": "4",
            "ADMIN_SIGNUP": "open",
            # The date of the entries of the FastAPI service must not end them here.
            "TRASH_RETENTION_DAYS": "36500",
            "IMAGES_URL": "file://images",
            "S3_BUCKET": "images",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.s3.port}",
            "AWS_ACCESS_KEY_ID": "roster-test",
            "AWS_SECRET_ACCESS_KEY": "a secret of the tests",
            **variables,
        }
        self.url = f"http://127.0.0.1:{variables['PORT']}"
        self.roster = Roster(roster, folder, variables, self.url)

    def live(self):
        with self.s3, self.roster:
            self.live_with_all()
            self.live_without_s3()

    def live_with_all(self):
        self.sign_up("admin@example.com", "admin", admin=True)
        admin = self.admin = self.log_in("admin@example.com")
        for name in ["ann", "carol", "dora", "eve", "frank", "gina", "hans", "ida", "jane", "kim", "lou", "mia"]:
            self.sign_up(f"{name}@example.com", name)
        self.sign_up("ben@example.com", "ben", password="more than 72 bytes, every one of which counts: " * 2)
        # Names whose keys another way of comparing makes anew, and names that look alike and are two.
        self.sign_up("νίκος.π@example.gr", "νίκος.π")
        self.sign_up("ſam@example.com", "ſam")
        self.sign_up("µ@example.com", "µ")
        self.sign_up("straße@example.de", "straße")
        self.sign_up("strasse@example.de", "strasse")
        self.sign_up("décomposé@bücher.example", "de\u0301compose\u0301", password=NFD)
        self.sign_up("soft@example.com", "so\u00adft")
        self.sign_up("old.admin@example.com", "old.admin", admin=True)

        self.log_in("ann@example.com")
        for _ in range(20):
            self.log_in("jane@example.com")
        kim = self.id_of("kim@example.com")
        self.ask("PUT", f"/api/v1/auth/users/{kim}", {"username": "kim.edited"}, admin)
        frank, gina = self.log_in("frank@example.com"), self.log_in("gina@example.com")
        self.upload("/api/v1/profile-upload/", "image", frank)
        self.upload("/api/v1/profile-upload-s3/", "file", gina)
        ida, lou, mia = (self.log_in(f"{name}@example.com") for name in ["ida", "lou", "mia"])
        for token in [ida, lou, mia]:
            self.upload("/api/v1/profile-upload-s3/", "file", token)
        self.ida = ida

        self.delete("carol@example.com", "left the company: été ☃")
        self.delete("old.admin@example.com", "x" * 1000)
        for name in ["dora", "eve"]:
            self.log_in(f"{name}@example.com")
            self.delete(f"{name}@example.com", "by mistake")
        self.ask("PUT", f"/api/v1/trash/restore/{self.ids['dora@example.com']}", None, admin)
        self.purge("eve@example.com")
        self.delete("lou@example.com", "with an image")
        self.delete("mia@example.com", "with an image")
        self.delete("first.admin@example.com", "no more an admin")
        self.purge("first.admin@example.com")
        self.hans = self.log_in("hans@example.com")

    def live_without_s3(self):
        # An upload that waits for S3 has reserved its image; then the process is killed. So one promise is not due yet.
        self.s3.process.send_signal(signal.SIGSTOP)
        before = self.s3.waiting()
        upload = lambda: self.upload("/api/v1/profile-upload-s3/", "file", self.hans)
        threading.Thread(target=lambda: ignoring(upload), daemon=True).start()
        until(lambda: self.s3.waiting() > before)
        time.sleep(1)
        self.roster.kill()
        # Without S3 images that nobody has any more can't be removed: these are due, and taken up already.
        self.s3.process.send_signal(signal.SIGCONT)
        self.s3.stop()
        self.roster.start()
        self.ask("DELETE", f"/api/v1/auth/users/{self.ids['ida@example.com']}/profile-image", None, self.ida)
        self.purge("mia@example.com")
        time.sleep(3)
        self.roster.kill()

    def sign_up(self, email, username, password=None, admin=False):
        PASSWORDS[email] = password or f"password of {username}"
        path = "/api/v1/auth/admin/signup" if admin else "/api/v1/auth/signup"
        self.ask("POST", path, {"email": email, "username": username, "password": PASSWORDS[email]})

    def log_in(self, email):
        return self.ask("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORDS[email]})["access_token"]

    @property
    def ids(self):
        ids, page = {}, 1
        while True:
            found = self.ask("GET", f"/api/v1/auth/users?per_page=30&page={page}", None, self.admin)
            ids.update((user["email"], user["id"]) for user in found["data"])
            page += 1
            if not found["has_next"]:
                # Those in the trash are not listed any more.
                self.known.update(ids)
                return self.known

    def id_of(self, email):
        return self.ids[email]

    def delete(self, email, reason):
        reason = urllib.parse.quote(reason)
        self.ask("DELETE", f"/api/v1/auth/users/{self.ids[email]}?reason={reason}", None, self.admin)

    def purge(self, email):
        self.ask("DELETE", f"/api/v1/trash/permanent/delete/{self.ids[email]}", None, self.admin)
        del PASSWORDS[email]

    def upload(self, path, field, token):
        head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="a.png"\r\n\r\n'
        body = head.encode() + png() + b"\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        self.ask("POST", path, body, token, headers)

    def ask(self, method, path, body, token=None, headers=None):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()}") from error
        return json.loads(text) if text else None


def png():
    """One red pixel."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")


# The programs


class Program:
    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        environment = {"PATH": os.environ["PATH"], **self.variables}
        self.process = subprocess.Popen(self.command, cwd=self.folder, env=environment, stdout=self.log, stderr=self.log)
        self.wait()

    def end(self, how):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
        self.process = None

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)


class Roster(Program):
    def __init__(self, program, folder, variables, url):
        self.command, self.folder, self.variables, self.url = [program], folder, variables, url
        self.log = open(folder / "roster.log", "ab")

    def wait(self):
        until(lambda: ignoring(lambda: urllib.request.urlopen(f"{self.url}/health", timeout=5).status) == 200)


class S3(Program):
    def __init__(self, program, folder):
        self.port = free_port()
        self.command, self.folder = [program], folder
        self.variables = {"S3_ADDRESS": f"127.0.0.1:{self.port}"}
        self.log = open(folder / "s3.log", "ab")

    def wait(self):
        until(lambda: ignoring(lambda: socket.create_connection(("127.0.0.1", self.port)).close() or True))

    def waiting(self):
        """How many bytes have arrived that it has not read."""
        port = f":{self.port:04X}"
        lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
        mine = [line.split() for line in lines if line.split()[1].endswith(port)]
        return sum(int(fields[4].split(":")[1], 16) for fields in mine)


class Mongod(Program):
    def __init__(self, program, folder):
        self.folder, self.port, self.variables = folder / "mongod", free_port(), {}
        self.folder.mkdir()
        self.command = [program, "--dbpath", str(self.folder), "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        self.log = subprocess.DEVNULL
        self.url = f"mongodb://127.0.0.1:{self.port}/"

    def wait(self):
        self.client = MongoClient(self.url)
        self.client.admin.command("ping")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ignoring(what):
    try:
        return what()
    except (OSError, RuntimeError):
        return None


def until(what):
    for _ in range(600):
        if what():
            return
        time.sleep(0.1)
    raise TimeoutError


# What is kept


def dump(database, folder, collections, of_fastapi=False):
    folder.mkdir(exist_ok=True)
    indexes = {}
    for name in collections:
        found = list(database[name].find({"roster": {"$exists": False}} if of_fastapi else {}).sort("_id"))
        options = json_util.CANONICAL_JSON_OPTIONS
        lines = [json_util.dumps(document, json_options=options) for document in found]
        (folder / f"{name}.json").write_text("".join(line + "\n" for line in lines))
        if not of_fastapi:
            made = [dict(index) for index in database[name].list_indexes() if index["name"] != "_id_"]
            indexes[name] = [{key: value for key, value in index.items() if key != "ns"} for index in made]
    if not of_fastapi:
        (folder / "indexes.json").write_text(json.dumps(indexes, indent=1) + "\n")


def millis(date):
    return None if date is None else round((date - datetime(1970, 1, 1)).total_seconds() * 1000)


def read_mongodb(database):
    """What the documents say, read without a line of Roster's."""
    accounts, removals = [], []
    for found in database.users.find({}).sort("_id"):
        ours = found.get("roster", {})
        for removal in ours.get("removals", []):
            kept = {key: removal[key] for key in ["store", "key", "removing"]}
            removals.append({"owner": str(found["_id"]), **kept, "due": millis(removal["due"])})
        if ours.get("tombstone"):
            continue
        password, trash, image = found["password"], ours.get("trash"), ours.get("image")
        accounts.append({
            "id": str(found["_id"]),
            "email": found["email"],
            "username": found["username"],
            "role": found["role"],
            "created_at": millis(found.get("created_at")),
            "updated_at": millis(found.get("updated_at")),
            "updated_by": found.get("updated_by"),
            "image": [image["store"], image["key"]] if image else None,
            "original_image": None if image else found.get("profile_image"),
            "hash": password if isinstance(password, str) else password.decode(),
            "epoch": ours.get("epoch", 0),
            "sessions": [[kept["id"].hex(), kept["token"].hex(), millis(kept["at"])] for kept in ours.get("sessions", [])],
            "trash": trash and {
                "id": str(trash["id"]),
                "deleted_by": str(trash["deleted_by"]),
                "deleted_at": millis(trash["deleted_at"]),
                "reason": trash["reason"],
            },
        })
    return accounts, removals


def read_sqlite(connection):
    """What the rows say, read without a line of Roster's."""
    connection.row_factory = sqlite3.Row
    hexed = lambda value: None if value is None else value.hex()
    accounts = []
    for row in connection.execute("SELECT * FROM users ORDER BY id"):
        sessions = "SELECT * FROM sessions WHERE user_id = ? ORDER BY ordinal"
        sessions = connection.execute(sessions, [row["id"]]).fetchall()
        trash = connection.execute("SELECT * FROM trash WHERE user_id = ?", [row["id"]]).fetchone()
        accounts.append({
            "id": hexed(row["id"]),
            **{name: row[name] for name in ["email", "username", "role", "created_at", "updated_at"]},
            "updated_by": hexed(row["updated_by"]),
            "image": [row["image_store"], row["image_key"]] if row["image_key"] else None,
            "original_image": row["image_original"],
            "hash": row["password_hash"],
            "epoch": row["epoch"],
            "sessions": [[hexed(kept["id"]), hexed(kept["refresh_token"]), kept["started_at"]] for kept in sessions],
            "trash": trash and {
                "id": hexed(trash["id"]),
                "deleted_by": hexed(trash["deleted_by"]),
                "deleted_at": trash["deleted_at"],
                "reason": trash["reason"],
            },
        })
    removals = [
        {"owner": hexed(row["owner"]), "store": row["store"], "key": row["key"], "removing": bool(row["removing"]), "due": row["due_at"]}
        for row in connection.execute("SELECT * FROM image_removals ORDER BY owner, store, key")
    ]
    return accounts, removals


def tell(file, accounts, removals):
    passwords = {account["email"]: PASSWORDS[account["email"]] for account in accounts}
    told = {"passwords": passwords, "accounts": accounts, "removals": removals}
    file.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
