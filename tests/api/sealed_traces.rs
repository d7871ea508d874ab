//! What is left behind: every operation, asked for by everybody with secrets in every place, leaves no token, no number,
//! no name and no key in the log at any level, in the metrics or in an error; and no answer repeats a token in a URL.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    operations::{self, Asking, Body, Operation, Person, Place},
    shared::server::{Home, Server},
};

const PHONE: &str = "15559876543";
const NAME: &str = "Zebulon";
const URL: &str = "http://127.0.0.1:9/quagmire?key=Quagmire";
/// What a person, a webhook's receiver and a signer would not want to read elsewhere.
const WORDS: [&str; 4] = [PHONE, NAME, "quagmire", "Quagmire"];

struct Holders {
    tokens: Vec<(&'static str, String)>,
    /// The tokens without what is the same in all.
    secrets: Vec<String>,
}

fn holders(home: &Home, server: &Server) -> Holders {
    let admin = std::fs::read_to_string(home.sessions().join("admin.token")).unwrap().trim().to_owned();
    let make = |path: &str, wish: &Value| {
        let headers = [format!("Authorization: Bearer {admin}"), "Content-Type: application/json".into()];
        let headers = headers.each_ref().map(String::as_str);
        let made = server.wire().ask(&format!("POST {path}"), &headers, wish.to_string().as_bytes()).unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["access_token"].as_str().unwrap().to_owned()
    };
    let never = wabook::gateway::AccessToken::random().reveal().to_owned();
    let tokens = vec![
        ("nobody", "garbage-that-is-secret".to_owned()),
        ("a stranger", never),
        ("a foreigner", make("/v1/instances", &json!({"instance_id": "elsewhere"}))),
        ("a reader", make("/v1/instances/demo/tokens", &json!({"scopes": ["statuses:read"]}))),
        ("the owner", server.token()),
        ("the admin", admin),
    ];
    let secrets = tokens.iter().map(|(_, token)| token.trim_start_matches("wab_")[..16].to_owned()).collect();
    Holders { tokens, secrets }
}

/// The answers, but for those of the few operations whose purpose it is to tell a secret.
fn ask_for_everything(server: &Server, holders: &Holders) -> Vec<(String, crate::shared::wire::Answer)> {
    let person = Person { phone: PHONE, name: NAME, url: URL };
    let mut answers = Vec::new();
    let ask = |operation: &Operation, asking: &Asking<'_>| operation.ask(&mut server.wire(), asking);
    for operation in operations::all(&mut server.wire()) {
        for (who, token) in &holders.tokens {
            // The instance is still needed.
            if *who == "the admin" && operation.verb == "DELETE" && operation.route == "/v1/instances/{i}" {
                continue;
            }
            for place in [Place::Everywhere, Place::Query, Place::Body, Place::Headers] {
                for body in [Body::Good, Body::Broken, Body::OtherType] {
                    let object = operation.route.contains("contact").then_some(PHONE);
                    let asking = Asking { object, body, person, place, ..Asking::new("demo", Some(token)) };
                    let answer = ask(&operation, &asking);
                    let tells_a_secret = answer.status == 201 && operation.route.contains("/tokens");
                    if !tells_a_secret {
                        answers.push((format!("{who}: {}, {place:?}, {body:?}", operation.name()), answer));
                    }
                }
            }
        }
    }
    answers
}

#[rstest]
#[case::debug_as_json("debug", "json")]
#[case::everything_for_people("trace,wabook=trace", "human")]
#[test]
fn no_secret_is_left_behind(#[case] level: &str, #[case] format: &str) {
    let home = Home::new();
    let server = home.serve_with(&[
        ("WABOOK_LOG__LEVEL", level),
        ("WABOOK_LOG__FORMAT", format),
        ("WABOOK_OUTSIDE__ALLOW", "[\"127.0.0.1\"]"),
    ]);
    let holders = holders(&home, &server);
    let answers = ask_for_everything(&server, &holders);
    let (mut good, mut bad) = (0, 0);
    for (what, answer) in &answers {
        let head: String = answer.head.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let all = head + &answer.text();
        for secret in &holders.secrets {
            assert!(!all.contains(secret), "{what}: {all}");
        }
        let is_refusal = matches!(answer.status, 401 | 403 | 404 | 405 | 413 | 415 | 429);
        for word in WORDS.iter().filter(|_| is_refusal) {
            assert!(!all.contains(word), "{what}: {all}");
        }
        if answer.status < 400 { good += 1 } else { bad += 1 }
    }
    assert!(good > 500 && bad > 500, "{good} good answers, {bad} errors");
    let metrics = server.wire().get("/metrics").unwrap().text();
    assert!(server.stop().success());
    let log = home.log();
    for (where_, text) in [("metrics", &metrics), ("log", &log)] {
        for word in holders.secrets.iter().map(String::as_str).chain(WORDS) {
            let line = text.lines().find(|line| line.contains(word));
            assert_eq!(line, None, "{word} is in the {where_}");
        }
    }
    assert!(!metrics.contains("demo"), "no instance in the metrics");
    println!("sealed: {good} good answers and {bad} errors left {} lines without a secret", log.lines().count());
}
