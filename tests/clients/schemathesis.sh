#!/usr/bin/env bash
# Schemathesis, a property-based tester that others made, against every operation of /v1/openapi.json that comes to an end: what the description
# allows must be taken, what it forbids refused, and every answer must be as described. All its checks are on.
# Usage: tests/clients/schemathesis.sh target/release/wabook [examples for each operation, 20 if not given]
# SCHEMATHESIS names a binary to take instead of installing one.
set -euo pipefail
binary=$(realpath "$1")
examples=${2:-20}
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
cd "$folder"

if [ -z "${SCHEMATHESIS:-}" ]; then
    python3 -m venv python
    if ! timeout 300 python/bin/pip install --quiet --disable-pip-version-check 'schemathesis==4.32.5' >pip.log 2>&1; then
        cat pip.log >&2
        echo "schemathesis could not be installed: pip reaches no package registry, or that has no such version" >&2
        rm -rf "$folder"
        exit 1
    fi
    SCHEMATHESIS=$folder/python/bin/schemathesis
fi

"$binary" serve --json --listen 127.0.0.1:0 >announcement.json 2>log.jsonl &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [ -s announcement.json ] && break; sleep 0.1; done

read_key() { python3 -c "import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])" "$@"; }
base="http://$(read_key announcement.json address)"
token=$(read_key announcement.json access_token)
# Whose tokens may be revoked, and who may be deleted, without the others losing theirs.
"$binary" instance create spare --json >spare.json
"$binary" instance create doomed --json >doomed.json
# A webhook that is there; its receiver is not.
curl -sS "$base/v1/instances/demo/webhooks" -H "Authorization: Bearer $token" --json '{"url": "https://receiver.example/"}' >webhook.json
webhook=$(read_key webhook.json webhook_id)

{
    # Where each kind of operation looks for who asks.
    cat <<TOML
hooks = "$here/schemathesis_hooks.py"
headers = { Authorization = "Bearer $token" }

[[operations]]
include-tag = "WAHA"
headers = { X-Api-Key = "$token" }
parameters = { "path.session" = "demo", "query.session" = "demo" }

[[operations]]
include-tag = "SuperWABA"
headers = { Authorization = "Bearer $token", x-org-id = "demo" }

[[operations]]
include-tag = "Hypersender"
parameters = { "path.instance" = "demo" }

[[operations]]
include-path-regex = '^/v1/instances/\{i\}/(contacts|observations|changes|import|export)'
parameters = { "path.i" = "demo" }

[[operations]]
include-operation-id = ["v1_list_webhooks", "v1_register_webhook", "v1_remove_webhook"]
parameters = { "path.i" = "demo" }

[[operations]]
include-operation-id = [
    "v1_show_webhook", "v1_change_webhook", "v1_replace_webhook_secret", "v1_webhook_deliveries", "v1_replay_webhook",
]
parameters = { "path.i" = "demo", "path.w" = "$webhook" }

[[operations]]
include-path-regex = '^/v1/(backup|instances)(/\{i\}/(check|tokens.*|companion.*))?$'
headers = { Authorization = "Bearer $(cat "sessions/admin.token")" }
parameters = { "path.i" = "spare" }

[[operations]]
include-path = "/v1/instances/{i}"
headers = { Authorization = "Bearer $(cat "sessions/admin.token")" }
parameters = { "path.i" = "doomed" }

TOML
    cat "$here/schemathesis.toml"
} >schemathesis.toml

# Twenty examples take some minutes; whoever asks for more has the time.
patience=$((900 + 30 * examples))

run() {
    timeout "$patience" "$SCHEMATHESIS" --config-file schemathesis.toml run "$base/v1/openapi.json" --seed 1 --max-examples "$examples" \
        --request-timeout 10 --generation-database none --no-color "$@"
}
run --phases examples,coverage,fuzzing
# Call after call, by what the answers give. What the settings fix would here take the place of what is wrong on purpose
# without Schemathesis' noticing, so only good requests are strung together; the other phases have tried bad ones.
run --phases stateful --mode positive

kill -TERM "$server"
wait "$server"
trap 'rm -rf "$folder"' EXIT
echo "the server ended in order"
