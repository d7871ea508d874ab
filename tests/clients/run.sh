#!/usr/bin/env bash
# Real clients against a release binary on an empty folder: curl as the README has it, a Python script that posts the
# 10,000-row fixture, and waha-py, a client of WAHA's that others made. Usage: tests/clients/run.sh target/release/wabook
set -euo pipefail
binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
cd "$folder"

"$binary" serve --json --listen 127.0.0.1:0 >announcement.json 2>log.jsonl &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [ -s announcement.json ] && break; sleep 0.1; done

read_key() { python3 -c "import json,sys; print(json.load(open('announcement.json'))['$1'])"; }
base="http://$(read_key address)"
token=$(read_key access_token)

echo "-- curl"
answer=$(curl -sS --fail -X POST "$base/v2/contacts/update" -H 'Content-Type: application/json' \
    -d "{\"instance_id\": \"demo\", \"access_token\": \"$token\", \"chatId\": \"123@c.us\", \"firstName\": \"Bob\", \"lastName\": \"Smith\"}")
[ "$answer" = '{"ok": true}' ]
curl -sS --fail "$base/v2/contacts?instance_id=demo&contactId=123@c.us" -H "Authorization: Bearer $token" | grep -q '"name":"Bob Smith"'
echo "saved and read back"

echo "-- commands beside the server"
"$binary" instance create clients --json >made.json
"$binary" check
"$binary" backup copy
"$binary" --sessions copy check

echo "-- post_contacts.py"
python3 "$here/post_contacts.py" --base "$base" --instance clients \
    --token "$(python3 -c "import json; print(json.load(open('made.json'))['access_token'])")" \
    --file "$here/../fixtures/contacts-10k.ndjson"

echo "-- waha-py"
python3 -m venv python
if ! timeout 300 python/bin/pip install --quiet --disable-pip-version-check 'waha-py==2026.9.2' >pip.log 2>&1; then
    cat pip.log >&2
    echo "waha-py could not be installed: pip reaches no package registry, or that has no such version" >&2
    exit 1
fi
timeout 120 python/bin/python "$here/waha_client.py" --base "$base" --token "$token" --instance demo

kill -TERM "$server"
wait "$server"
trap 'rm -rf "$folder"' EXIT
echo "the server ended in order"
