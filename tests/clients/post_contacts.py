#!/usr/bin/env python3
"""Post contacts from an NDJSON file to a running wabook, read all of them back, and say what does not agree.

Each line is an object: chatId, firstName, lastName (optional), expect ("ok" or "invalid"), contact (the chat id under
which a good row reads back). Rows of one contact keep their order. Needs nothing but Python's standard library.
"""

import argparse
import http.client
import json
import sys
import threading
import time
import urllib.parse
import zlib


class Client:
    """One keep-alive connection."""

    def __init__(self, options):
        url = urllib.parse.urlsplit(options.base_url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(url.netloc, timeout=60)
        self.prefix = url.path.rstrip("/")
        self.credentials = {"instance_id": options.instance, "access_token": options.token}

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, self.prefix + path, body, headers)
        response = self.connection.getresponse()
        text = response.read()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, None

    def save(self, row):
        fields = {key: row[key] for key in ("chatId", "firstName", "lastName") if key in row}
        return self.call("POST", "/v2/contacts/update", json.dumps({**fields, **self.credentials}))

    def name(self, contact):
        query = urllib.parse.urlencode({"contactId": contact, **self.credentials})
        status, answer = self.call("GET", "/v2/contacts?" + query)
        return answer.get("name") if status == 200 and isinstance(answer, dict) else f"HTTP {status}"


class Tally:
    """What the connections counted, together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"saved": 0, "refused": 0, "read": 0}
        self.mismatches = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def mismatch(self, line, why):
        with self.lock:
            self.mismatches.append(f"line {line}: {why}")


def post(client, rows, tally):
    for line, row in rows:
        status, answer = client.save(row)
        if row["expect"] == "ok":
            if status == 200 and answer == {"ok": True}:
                tally.count("saved")
            else:
                tally.mismatch(line, f"HTTP {status} for a row that is good")
        elif status == 400 and isinstance(answer, dict) and answer.get("message"):
            tally.count("refused")
        else:
            tally.mismatch(line, f"HTTP {status} for a row that must be refused with a message")


def read_back(client, rows, tally):
    last = {row["contact"]: (line, row) for line, row in rows if row["expect"] == "ok"}
    for contact, (line, row) in last.items():
        expected = (row["firstName"] + " " + row["lastName"] if "lastName" in row else row["firstName"]).strip()
        if client.name(contact) == expected:
            tally.count("read")
        else:
            tally.mismatch(line, "the contact reads back with another name")


def on_all_connections(work, options, shards, tally):
    def run(rows):
        try:
            work(Client(options), rows, tally)
        except (OSError, http.client.HTTPException) as error:
            tally.mismatch(rows[0][0] if rows else 0, f"the connection failed: {error}")

    threads = [threading.Thread(target=run, args=(rows,)) for rows in shards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="http://127.0.0.1:8080", help="default: %(default)s")
    parser.add_argument("--instance", default="demo", help="instance id, default: %(default)s")
    parser.add_argument("--token", required=True, help="an access token with contacts:read and contacts:write")
    parser.add_argument("--file", required=True, help="NDJSON, a row on each line")
    parser.add_argument("--connections", type=int, default=8, help="side by side, default: %(default)s")
    options = parser.parse_args()

    with open(options.file, encoding="utf-8") as file:
        rows = [(number, json.loads(line)) for number, line in enumerate(file, 1) if line.strip()]
    shards = [[] for _ in range(max(options.connections, 1))]
    for line, row in rows:
        shards[zlib.crc32(row.get("contact", row["chatId"]).encode()) % len(shards)].append((line, row))

    tally, began = Tally(), time.monotonic()
    on_all_connections(post, options, shards, tally)
    seconds = max(time.monotonic() - began, 1e-9)
    on_all_connections(read_back, options, shards, tally)

    counts = tally.counts
    print(f"{len(rows)} rows in {seconds:.1f} s ({len(rows) / seconds:.0f}/s) over {len(shards)} connections")
    print(f"{counts['saved']} saved, {counts['refused']} refused, {counts['read']} contacts read back as they should")
    for mismatch in tally.mismatches[:20]:
        print(mismatch, file=sys.stderr)
    if tally.mismatches:
        print(f"{len(tally.mismatches)} mismatches", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
