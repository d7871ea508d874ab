"""Schemathesis: what no schema can say of a good request. Values that are wrong on purpose pass as they are."""

import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import schemathesis

# As described: those that are wrong on purpose stay so.
URL = re.compile(r"(?=.{1,2048}\Z)https?://[^\x00-\x20\x7f/?#@\\]+([/?#][^\x00-\x20\x7f]*)?\Z")
COMPANION_URL = re.compile(r"https?://([a-z0-9]+\.)*[a-z]+(:[1-9][0-9]{0,3})?(/[a-z0-9]+)*/?")


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    path = context.operation.path
    if path.startswith("/v2/"):
        # Credentials come from the head, so none are made up in bodies.
        for name in ("instance_id", "access_token"):
            if isinstance(body.get(name), str):
                del body[name]
    if path == "/v1/instances/{i}/tokens" and isinstance(body.get("expires_at"), str):
        # A token's end lies in the future.
        year = body["expires_at"][:4]
        if year.isdigit() and year < "2100":
            body["expires_at"] = "2100" + body["expires_at"][4:]
    return body


@schemathesis.hook
def map_query(context, query):
    lists = ("/v1/instances/{i}/contacts", "/v1/instances/{i}/companion/contacts")
    if context.operation.path in lists and isinstance(query, dict):
        # A cursor is opaque: only the server makes one.
        query.pop("cursor", None)
    return query


@schemathesis.hook
def before_call(context, case, kwargs):
    # A chat id out of an earlier call's path comes percent-encoded, and would be encoded once more.
    for name, value in (case.query or {}).items():
        if isinstance(value, str) and "%40" in value:
            case.query[name] = unquote(value)
        if value == {}:
            # Would be sent as a blank, and what is blank is not given.
            case.query[name] = "{}"
    if case.operation.path.startswith("/v1/instances/{i}/webhooks") and isinstance(case.body, dict):
        # Which hosts are public no schema can say; and nobody shall be reached: names under .example lead nowhere.
        if isinstance(case.body.get("url"), str) and URL.match(case.body["url"]):
            case.body["url"] = "https://receiver.example/hook"
        # Nor how far the book has come.
        if type(case.body.get("since")) in (int, float) and case.body["since"] > 0 and case.body["since"] % 1 == 0:
            case.body["since"] = 0
    if case.operation.path == "/v1/instances/{i}/companion" and isinstance(case.body, dict):
        # Likewise; nobody is called who happens to have that name.
        url = case.body.get("url")
        if isinstance(url, str) and COMPANION_URL.fullmatch(url):
            case.body["url"] = "http://companion.invalid"
    if case.operation.path == "/v1/instances/{i}/changes":
        # Nobody writes meanwhile: a long wait would only be waited for.
        wait = (case.query or {}).get("wait")
        if str(wait).isdigit() and 1 < int(wait) <= 60:
            case.query["wait"] = 1


@schemathesis.check
def refusals_of_good_requests(context, response, case):
    """What schemathesis.toml lets through is let through for its reason only."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    operation = case.operation.definition.raw.get("operationId", "")
    if operation.startswith("wacr_") and response.status_code == 422:
        details = response.json()["error"]["details"]
        if "summary" not in details:
            for sentence in (sentence for sentences in details.values() for sentence in sentences):
                assert any(words in sentence for words in ("exist", "already", "duplicate", "belong")), sentence
    if operation == "superwaba_import" and response.status_code == 400:
        assert "json" not in response.request.headers.get("Content-Type", ""), response.text


@schemathesis.check
def bad_json_of_uploads(context, response, case):
    """A sheet may hold columns that nobody described; JSON is a list of contacts or is refused."""
    if case.operation.definition.raw.get("operationId") != "superwaba_import":
        return
    if "json" in response.request.headers.get("Content-Type", ""):
        try:
            body = json.loads(response.request.body or b"")
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("contacts"), list):
            assert response.status_code >= 400, response.text


FLAG = "([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])?"
IMPORT_QUERY = {"format": "(csv|vcf|ndjson)?", "empty": "(keep|clear)?", "dry_run": FLAG, "create": FLAG}


@schemathesis.check
def wrong_queries_of_imports(context, response, case):
    """A file may hold anything and is read all the same; the query may not."""
    if case.operation.definition.raw.get("operationId") != "v1_import":
        return
    # What was sent: of what was made up, an empty list is not.
    for name, value in parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True):
        if name not in IMPORT_QUERY or not re.fullmatch(IMPORT_QUERY[name], value.strip(), re.I):
            assert response.status_code >= 400, name
