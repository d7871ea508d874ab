//! What the log says and, above all, what it does not: no token, no number, no name, no LID, at any level and in any
//! format, whatever a request holds and wherever it holds it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::shared::{
    server::{Home, Server},
    wire::Wire,
};

const FIRST: &str = "Zebulon";
const LAST: &str = "Quagmire";
const PHONE: &str = "15559876543";
const LID: &str = "777666555444333";
const TEXT: &str = "Content-Type: text/plain";

/// Requests of every kind, good and bad, with the secrets in every place where a client can put them.
fn talk(server: &Server) -> usize {
    let token = server.token();
    let credentials = format!("instance_id=demo&access_token={token}");
    let names = format!("firstName={FIRST}&lastName={LAST}");
    let bearer = format!("Authorization: Bearer {token}");
    let header = format!("access-token: {token}");
    let mut wire = server.wire();
    let mut answers = 0;
    let mut ask = |what: String, headers: &[&str], body: &str| {
        let json: &[&str] = if headers.contains(&TEXT) { &[] } else { &["Content-Type: application/json"] };
        let answer = wire.ask(&what, &[json, headers].concat(), body.as_bytes()).unwrap();
        answers += 1;
        answer.status
    };
    let good =
        json!({"instance_id": "demo", "access_token": token, "chatId": PHONE, "firstName": FIRST, "lastName": LAST});
    assert_eq!(ask("POST /v2/contacts/update".into(), &[], &good.to_string()), 200);
    assert_eq!(ask(format!("PUT /v2/contacts/{LID}@lid?{credentials}&{names}"), &[], ""), 200);
    assert_eq!(ask(format!("GET /v2/contacts?{credentials}&contactId={PHONE}@c.us"), &[], ""), 200);
    assert_eq!(ask(format!("GET /v2/contacts/{PHONE}@c.us"), &[&bearer, "X-Instance-ID: demo"], ""), 200);
    assert_eq!(ask(format!("GET /v2/lids/pn/{PHONE}?instance_id=demo"), &[&header], ""), 200);
    assert_eq!(ask("GET /v2/contacts/all".into(), &[&bearer], ""), 200);

    assert_eq!(ask(format!("POST /v2/contacts/update?{credentials}"), &[], &good.to_string()[..90]), 400);
    assert_eq!(
        ask(format!("POST /v2/contacts/update?{credentials}"), &[], &format!("[\"{FIRST}\", \"{PHONE}\"]")),
        400
    );
    assert_eq!(ask(format!("PUT /v2/contacts/{PHONE}@example.com?{credentials}&{names}"), &[], ""), 400);
    assert_eq!(ask(format!("GET /v2/contacts/{PHONE}{PHONE}?{credentials}"), &[], ""), 400);
    assert_eq!(ask(format!("GET /v2/contacts/all?{credentials}&sortBy={FIRST}"), &[], ""), 400);
    assert_eq!(
        ask(format!("GET /v2/contacts?instance_id={PHONE}&access_token={token}&contactId={LID}@lid"), &[], ""),
        401
    );
    assert_eq!(
        ask(format!("GET /v2/contacts?instance_id=demo&access_token={token}x&contactId={LID}@lid"), &[], ""),
        401
    );
    assert_eq!(ask(format!("GET /v2/{FIRST}/{LAST}/{PHONE}?{credentials}"), &[], ""), 404);
    assert_eq!(ask(format!("GET /{LID}/{FIRST}?{credentials}"), &[], ""), 404);
    assert_eq!(ask(format!("DELETE /v2/contacts/{PHONE}?{credentials}"), &[], ""), 405);
    assert_eq!(ask(format!("{LAST} /v2/contacts/{PHONE}?{credentials}"), &[], ""), 405);
    assert_eq!(ask(format!("POST /v2/contacts/update?{credentials}"), &[TEXT], &good.to_string()), 415);
    let large = format!("{good}{}", " ".repeat(1 << 20));
    assert_eq!(ask(format!("POST /v2/contacts/update?{credentials}"), &[], &large), 413);
    assert_eq!(ask(format!("GET /v1/instances/{PHONE}"), &[&bearer], ""), 401);
    assert_eq!(ask("GET /v1/instances/demo/tokens".into(), &[&bearer], ""), 200);
    assert_eq!(ask(format!("GET /v1/instances/demo/tokens/{PHONE}"), &[&bearer], ""), 404);
    assert_eq!(ask("POST /v1/instances/demo/tokens".into(), &[&bearer], &format!(r#"{{"label": "{FIRST}"}}"#)), 201);

    // What is no HTTP at all.
    for garbage in
        [format!("{FIRST} {PHONE} {token}\r\n\r\n"), format!("GET /{PHONE} HTTP/1.1\r\n{FIRST}\0: {token}\r\n\r\n")]
    {
        let mut other = server.wire();
        other.send(garbage.as_bytes()).unwrap();
        let _ = other.answer();
    }
    broken_off(server, &token);
    answers
}

/// A body that is promised and does not come.
fn broken_off(server: &Server, token: &str) {
    let mut wire = Wire::to(&server.address).unwrap();
    let head =
        format!("POST /v2/contacts/update?access_token={token} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    wire.send(head.as_bytes()).unwrap();
    wire.send(format!(r#"{{"chatId": "{PHONE}"#).as_bytes()).unwrap();
}

#[rstest]
#[case::debug_as_json("debug", "json")]
#[case::info_for_people("info", "human")]
#[case::everything_of_ours("trace", "human")]
#[case::a_filter_over_all_crates("debug,wabook=trace", "json")]
#[case::a_filter_with_everything("trace,wabook=trace", "human")]
#[test]
fn no_person_and_no_token_is_logged(#[case] level: &str, #[case] format: &str) {
    let home = Home::new();
    let server = home.serve_with(&[("WABOOK_LOG__LEVEL", level), ("WABOOK_LOG__FORMAT", format)]);
    let token = server.token();
    talk(&server);
    assert!(server.stop().success());
    let log = home.log();
    assert!(log.contains("listening") && log.contains("answered"), "{log}");
    let secret = token.strip_prefix("wab_").unwrap();
    for word in [FIRST, LAST, PHONE, LID, secret, &secret[..16]] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "{word} is in the log");
    }
}

/// A gateway that is its own companion: names go out and come in over HTTP, and both ends write to one log.
#[test]
fn nothing_that_is_said_to_a_companion_is_logged() {
    let home = Home::new();
    let server = home.serve_with(&[
        ("WABOOK_LOG__LEVEL", "trace,wabook=trace"),
        ("WABOOK_LOG__FORMAT", "human"),
        ("WABOOK_OUTSIDE__ALLOW", "[\"127.0.0.1\"]"),
    ]);
    let (token, bearer) = (server.token(), format!("Authorization: Bearer {}", server.token()));
    let mut wire = server.wire();
    let mut ask = |what: &str, body: &str| {
        let answer = wire.ask(what, &[&bearer, "Content-Type: application/json"], body.as_bytes()).unwrap();
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
        answer.json()
    };
    let url = format!("http://{}", server.address);
    let companion = json!({"kind": "waha", "url": url, "session": "demo", "api_key": token}).to_string();
    ask("PUT /v1/instances/demo/companion", &companion);
    let names = json!({"first_name": FIRST, "last_name": LAST}).to_string();
    ask(&format!("PUT /v1/instances/demo/contacts/{PHONE}"), &names);
    ask(&format!("PUT /v1/instances/demo/contacts/{LID}@lid"), &names);
    ask("POST /v1/instances/demo/companion/pull", "");
    let is_confirmed = |shown: &Value| shown["contacts"]["confirmed"] != 0;
    let begin = std::time::Instant::now();
    while !is_confirmed(&ask("GET /v1/instances/demo/companion", "")) {
        assert!(begin.elapsed() < crate::shared::PATIENCE, "the name does not arrive");
    }
    assert!(server.stop().success());
    let log = home.log();
    assert!(log.contains("pulled"), "{log}");
    let secret = token.strip_prefix("wab_").unwrap();
    for word in [FIRST, LAST, PHONE, LID, secret, &secret[..16]] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "{word} is in the log");
    }
}

#[test]
fn every_answer_has_a_line_with_what_an_operator_needs() {
    let home = Home::new();
    let server = home.serve_with(&[("WABOOK_LOG__LEVEL", "debug"), ("WABOOK_LOG__FORMAT", "json")]);
    let answers = talk(&server);
    assert!(server.stop().success());
    let log = home.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
    assert!(answered.len() >= answers, "{} lines for {answers} answers", answered.len());
    for line in &answered {
        assert!(line["status"].is_u64() && line["micros"].is_u64() && line["route"].is_string(), "{line}");
        assert!(line["span"]["method"].is_string() && line["span"]["id"].is_string(), "{line}");
    }
    let has = |route: &str, status: u64, outcome: &str, instance: Option<&str>| {
        let expected = (Some(route), Some(status), Some(outcome), instance);
        let found = |line: &&&Value| {
            (line["route"].as_str(), line["status"].as_u64(), line["outcome"].as_str(), line["instance"].as_str())
                == expected
        };
        assert!(answered.iter().any(|line| found(&line)), "{expected:?} is not in\n{log}");
    };
    has("/v2/contacts/update", 200, "created", Some("demo"));
    has("/v2/contacts/{chatId}", 200, "created", Some("demo"));
    has("/v2/contacts", 200, "ok", Some("demo"));
    has("/v2/contacts", 401, "refused", None);
    has("/v2/contacts/update", 400, "malformed", None);
    has("/v2/contacts/{chatId}", 400, "invalid", Some("demo"));
    has("/v2/contacts/{chatId}", 405, "wrong_verb", None);
    has("/v2/contacts/update", 413, "too_large", None);
    has("/v2/contacts/update", 415, "media_type", None);
    has("/v1/instances/{i}", 401, "refused", None);
    has("/v1/instances/{i}/tokens", 201, "ok", Some("demo"));
}

#[test]
fn a_bare_level_is_for_this_program_alone() {
    let home = Home::new();
    let server = home.serve_with(&[("WABOOK_LOG__LEVEL", "trace"), ("WABOOK_LOG__FORMAT", "json")]);
    talk(&server);
    assert!(server.stop().success());
    for line in home.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let is_ours = line["target"].as_str().unwrap().starts_with("wabook");
        assert!(is_ours || ["WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn a_level_that_is_none_is_named() {
    let home = Home::new();
    let output = home.command(["serve", "--listen", "127.0.0.1:0"]).env("WABOOK_LOG__LEVEL", "a=b=c").output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && complaint.contains("log.level"), "{complaint}");
}
