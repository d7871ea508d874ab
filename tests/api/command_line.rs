//! The command line, with and without a running server: what is printed, what exit codes say, and which files are whose.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    shared::{
        rows::{self, Entry},
        server::{Home, Server},
        within,
    },
    support::text,
};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn help_lists_the_commands() {
    let output = Home::new().run(&["--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in [
        "serve",
        "instance",
        "token",
        "check",
        "backup",
        "import",
        "export",
        "--config",
        "--sessions",
        "--listen",
        "--json",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for (command, word) in
        [("instance", "remove"), ("token", "rotate"), ("import", "phone#value"), ("export", "--vcard-version")]
    {
        let output = Home::new().run(&[command, "--help"]);
        assert!(String::from_utf8(output.stdout).unwrap().contains(word));
    }
}

#[test]
fn the_first_start_makes_a_demo_and_the_second_does_not() {
    let home = Home::new();
    let server = home.serve();
    assert_eq!(keys(&server.announced), ["access_token", "address", "instance_id"]);
    assert_eq!(server.announced["instance_id"], "demo");
    let entry = Entry { instance: "demo".into(), token: server.token() };
    assert_eq!(rows::head(&mut server.wire(), &entry), (0, 0));
    assert!(server.stop().success());

    let server = home.serve();
    assert_eq!(keys(&server.announced), ["address"]);
    assert_eq!(rows::head(&mut server.wire(), &entry), (0, 0), "the first token still opens it");
    assert_eq!(home.json(&["instance", "list"])["instances"].as_array().unwrap().len(), 1);
}

/// What a kill leaves: a gateway without its demo, or a demo whose token nobody has read.
#[rstest]
#[case::before_the_demo(false)]
#[case::before_its_token_was_told(true)]
#[test]
fn a_first_start_that_was_cut_short_goes_on_with_the_next(#[case] has_demo: bool) {
    let home = Home::new();
    let settings = wabook::gateway::Settings {
        sessions: home.sessions(),
        admin_token: None,
        secret_key: None,
        open_books: 10,
        idle: Duration::from_secs(60),
        tombstones: Duration::from_secs(60),
        mailbox: 16,
        long_reads: 2,
        requests_per_minute: 0,
        quota: Default::default(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let gateway = wabook::gateway::Gateway::open(settings, runtime.handle().clone()).unwrap();
        if has_demo {
            let office = gateway.administer(Some(gateway.run_key().reveal())).unwrap();
            office.create("demo".parse().unwrap()).await.unwrap();
        }
        gateway.close().await;
    });
    let server = home.serve();
    let entry = Entry { instance: "demo".into(), token: server.token() };
    assert_eq!(rows::head(&mut server.wire(), &entry), (0, 0));
    assert!(server.stop().success());
    assert_eq!(keys(&home.serve().announced), ["address"]);
}

#[test]
fn a_removed_demo_does_not_come_back() {
    let home = Home::new();
    assert!(home.serve().stop().success());
    home.json(&["instance", "remove", "demo"]);
    let server = home.serve();
    assert_eq!(keys(&server.announced), ["address"]);
}

#[test]
fn secrets_are_their_owners_alone() {
    let home = Home::new();
    let _server = home.serve();
    let sessions = home.sessions();
    assert_eq!(mode(&sessions), 0o700);
    for file in ["admin.token", "gateway.key", "gateway.run", "gateway.db", "gateway.lock"] {
        assert_eq!(mode(&sessions.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&sessions.join("demo")), 0o700);
    assert_eq!(mode(&sessions.join("demo/book.db")), 0o600);
}

#[rstest]
#[case::with_a_running_server(true)]
#[case::without_a_server(false)]
#[test]
fn an_instances_life(#[case] is_running: bool) {
    let home = Home::new();
    let server = is_running.then(|| home.serve());
    let made = home.json(&["instance", "create", "shop"]);
    assert_eq!(keys(&made), ["access_token", "instance_id"]);
    assert_eq!(made["instance_id"], "shop");
    assert!(text(&made["access_token"]).starts_with("wab_"));
    let drawn = home.json(&["instance", "create"]);
    assert_eq!(text(&drawn["instance_id"]).len(), 12);

    let listed = home.json(&["instance", "list"]);
    let ids: Vec<_> = listed["instances"].as_array().unwrap().iter().map(|i| text(&i["instance_id"])).collect();
    assert_eq!(ids.len(), if is_running { 3 } else { 2 });
    assert!(ids.contains(&"shop".to_owned()) && ids.contains(&text(&drawn["instance_id"])));

    let shown = home.json(&["instance", "show", "shop"]);
    assert_eq!((&shown["contacts"], &shown["revision"], &shown["state"]), (&json!(0), &json!(0), &json!("ready")));
    assert!(home.complaint(&["instance", "create", "shop"]).contains("exists already"));
    assert!(home.complaint(&["instance", "create", "v2"]).contains("reserved"));
    assert!(home.complaint(&["instance", "create", "a/b"]).contains("letters"));

    assert_eq!(home.json(&["instance", "remove", "shop"])["removed"], true);
    assert!(!home.sessions().join("shop").exists());
    for command in [["instance", "show", "shop"], ["instance", "remove", "shop"], ["token", "list", "shop"]] {
        assert_eq!(home.complaint(&command), "wabook: There is no such instance.\n");
    }
    if let Some(server) = server {
        assert!(server.stop().success());
    }
    assert_eq!(home.json(&["instance", "list"])["instances"].as_array().unwrap().len(), ids.len() - 1);
}

#[rstest]
#[case::with_a_running_server(true)]
#[case::without_a_server(false)]
#[test]
fn a_tokens_life(#[case] is_running: bool) {
    let home = Home::new();
    let server = is_running.then(|| home.serve());
    home.json(&["instance", "create", "shop"]);
    let wish = ["token", "create", "shop", "--scope", "contacts:read", "--scope", "account:read", "--expires", "30d"];
    let made = home.json(&[&wish[..], &["--label", "CRM"]].concat());
    assert_eq!(made["scopes"], json!(["contacts:read", "account:read"]));
    assert_eq!((&made["label"], &made["state"]), (&json!("CRM"), &json!("active")));
    assert!(made["expires_at"].is_string());
    let token_id = text(&made["token_id"]);

    let fresh = home.json(&["token", "rotate", "shop", &token_id]);
    assert_ne!((&fresh["access_token"], &fresh["token_id"]), (&made["access_token"], &made["token_id"]));
    home.json(&["token", "revoke", "shop", &text(&fresh["token_id"])]);
    let listed = home.json(&["token", "list", "shop"]);
    assert!(!listed.to_string().contains("wab_"));
    let states: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| text(&token["state"])).collect();
    assert_eq!(states.iter().filter(|state| *state == "revoked").count(), 2, "{states:?}");
    assert!(home.complaint(&["token", "create", "shop", "--scope", "contacts:red"]).contains("contacts:read"));
    assert!(home.complaint(&["token", "create", "shop", "--expires", "soon"]).contains("30d"));
    assert!(home.complaint(&["token", "revoke", "shop", "tok_x"]).contains("no such access token"));

    let server = server.unwrap_or_else(|| home.serve());
    let mut wire = server.wire();
    for token in [made, fresh] {
        let target = format!("/v2/contacts?contactId=123&access_token={}", text(&token["access_token"]));
        assert_eq!(wire.get(&target).unwrap().status, 401);
    }
}

#[test]
fn a_token_made_beside_a_running_server_opens_at_once() {
    let home = Home::new();
    let server = home.serve();
    let made = home.json(&["token", "create", "demo"]);
    let entry = Entry { instance: "demo".into(), token: text(&made["access_token"]) };
    assert_eq!(rows::saved_name(&mut server.wire(), &entry, "123@c.us"), Value::Null);
}

#[test]
fn a_damaged_book_is_found_by_check() {
    let home = Home::new();
    home.json(&["instance", "create", "good"]);
    home.json(&["instance", "create", "bad"]);
    let checked = home.json(&["check"]);
    assert_eq!((&checked["sound"], checked["instances"].as_array().unwrap().len()), (&json!(true), 2));
    std::fs::write(home.sessions().join("bad/book.db"), "not a book").unwrap();
    let output = home.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(checked["sound"], false);
    for instance in checked["instances"].as_array().unwrap() {
        let is_bad = instance["instance_id"] == "bad";
        assert_eq!(!instance["problems"].as_array().unwrap().is_empty(), is_bad, "{instance}");
    }
    assert_eq!(home.json(&["check", "good"])["sound"], true);
}

#[test]
fn a_backup_without_a_server_is_a_sessions_folder() {
    let home = Home::new();
    let server = home.serve();
    let entry = Entry { instance: "demo".into(), token: server.token() };
    let rows = rows::all();
    let good = rows.iter().find(|row| row.is_good()).unwrap();
    assert_eq!(good.post(&mut server.wire(), &entry).unwrap().status, 200);
    assert!(server.stop().success());

    let target = home.path("backup");
    let done = home.json(&["backup", target.to_str().unwrap()]);
    assert_eq!((&done["instances"], &done["failed"]), (&json!(1), &json!(0)));
    assert_eq!(mode(&target), 0o700);
    assert!(home.complaint(&["backup", target.to_str().unwrap()]).contains("not empty"));

    let restored = Home::new();
    std::fs::rename(&target, restored.sessions()).unwrap();
    assert_eq!(restored.json(&["check"])["sound"], true);
    let server = restored.serve();
    assert_eq!(keys(&server.announced), ["address"]);
    let name = rows::saved_name(&mut server.wire(), &entry, good.contact.as_deref().unwrap());
    assert_eq!(name, good.name(), "the tokens of the original open the copy");
}

#[test]
fn a_backup_while_writes_are_running_is_whole() {
    let home = Home::new();
    let server = home.serve();
    let entry = Entry { instance: "demo".into(), token: server.token() };
    let rows = rows::all();
    let rows: Vec<_> = rows.iter().filter(|row| row.is_good()).collect();
    let (before, during) = rows.split_at(300);
    let mut wire = server.wire();
    for row in before {
        assert_eq!(row.post(&mut wire, &entry).unwrap().status, 200);
    }
    let is_backed_up = AtomicBool::new(false);
    thread::scope(|scope| {
        for shard in during.chunks(during.len() / 4 + 1) {
            let (mut wire, entry, is_backed_up) = (server.wire(), &entry, &is_backed_up);
            scope.spawn(move || {
                for row in shard.iter().take_while(|_| !is_backed_up.load(Ordering::Relaxed)) {
                    assert_eq!(row.post(&mut wire, entry).unwrap().status, 200);
                }
            });
        }
        let done = home.run(&["backup", home.path("backup").to_str().unwrap()]);
        is_backed_up.store(true, Ordering::Relaxed);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    });

    let restored = Home::new();
    std::fs::rename(home.path("backup"), restored.sessions()).unwrap();
    assert_eq!(restored.json(&["check"])["sound"], true);
    let server = restored.serve();
    let mut wire = server.wire();
    assert!(rows::head(&mut wire, &entry).0 >= 250, "what was saved before the backup is in it");
    for row in before {
        assert_ne!(rows::saved_name(&mut wire, &entry, row.contact.as_deref().unwrap()), Value::Null);
    }
}

#[rstest]
#[case::a_missing_file(&["--config", "nowhere.toml", "check"], None, "nowhere.toml")]
#[case::an_unknown_key(&["check"], Some("[http]\nlissten = \"127.0.0.1:1\""), "lissten")]
#[case::a_bad_address(&["check"], Some("[http]\nlisten = \"everywhere\""), "listen")]
#[case::a_bad_duration(&["check"], Some("[sessions]\nidle = \"soon\""), "30s")]
#[case::no_toml(&["check"], Some("listen everywhere"), "config.toml")]
#[case::an_empty_mailbox(&["check"], Some("[sessions]\nmailbox = 0"), "mailbox")]
#[case::a_short_admin_token(&["check"], Some("[gateway]\nadmin_token = \"secret\""), "admin_token")]
#[case::no_sessions_yet(&["check"], None, "no sessions")]
#[test]
fn a_setting_that_is_wrong_is_named(#[case] arguments: &[&str], #[case] file: Option<&str>, #[case] named: &str) {
    let home = Home::new();
    if let Some(text) = file {
        std::fs::write(home.path("config.toml"), text).unwrap();
    }
    let complaint = home.complaint(arguments);
    assert!(complaint.contains(named), "{complaint}");
    assert!(complaint.starts_with("wabook: ") && !complaint.contains("secret\""), "{complaint}");
}

#[rstest]
#[case::a_bad_value("WABOOK_SESSIONS__MAILBOX", "many", "mailbox")]
#[case::an_unknown_key("WABOOK_HTTP__LISSTEN", "127.0.0.1:1", "lissten")]
#[case::an_unknown_section("WABOOK_HTPT__LISTEN", "127.0.0.1:1", "htpt")]
#[test]
fn an_environment_variable_that_is_wrong_is_named(#[case] key: &str, #[case] value: &str, #[case] named: &str) {
    let output = Home::new().command(["check"]).env(key, value).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && complaint.to_lowercase().contains(named), "{complaint}");
}

#[test]
fn settings_come_from_the_file_then_the_environment_then_flags() {
    let home = Home::new();
    std::fs::write(home.path("config.toml"), "[gateway]\nadmin_token = \"from-the-file-0123\"\n").unwrap();
    let opens = |server: &Server, token: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        server.wire().ask("GET /v1/instances", &[&bearer], b"").unwrap().status
    };
    let server = home.serve();
    assert_eq!(opens(&server, "from-the-file-0123"), 200);
    assert!(server.stop().success());
    // The flag names port 0; were it not the strongest, the server could not listen.
    let environment = [("WABOOK_GATEWAY__ADMIN_TOKEN", "from-outside-0123"), ("WABOOK_HTTP__LISTEN", "192.0.2.1:1")];
    let server = home.serve_with(&environment);
    assert_eq!((opens(&server, "from-the-file-0123"), opens(&server, "from-outside-0123")), (401, 200));
    assert!(!home.sessions().join("admin.token").exists(), "a token that was given is not made");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let complaint = Home::new().complaint(&["serve", "--listen", &address]);
    assert!(complaint.contains(&address), "{complaint}");
}

#[test]
fn for_people_it_prints_text() {
    let home = Home::new();
    let made = String::from_utf8(home.run(&["instance", "create", "shop"]).stdout).unwrap();
    assert!(made.contains("shop") && made.contains("wab_"), "{made}");
    let listed = String::from_utf8(home.run(&["instance", "list"]).stdout).unwrap();
    assert!(listed.starts_with("INSTANCE") && listed.contains("shop"), "{listed}");
    assert_eq!(String::from_utf8(home.run(&["check"]).stdout).unwrap(), "shop: sound, 0 contacts\n");
    assert!(String::from_utf8(home.run(&["token", "list", "shop"]).stdout).unwrap().contains("active"));
}

#[rstest]
#[case::with_a_running_server(true)]
#[case::without_a_server(false)]
#[test]
fn a_file_comes_in_and_goes_out(#[case] is_running: bool) {
    let home = Home::new();
    let _server = is_running.then(|| home.serve());
    home.json(&["instance", "create", "shop"]);
    std::fs::write(home.path("some.csv"), "Phone,Name,Size\n+49 170 1234567,Bob Smith,43\n").unwrap();

    let rehearsed = home.json(&["import", "shop", "some.csv", "--dry-run"]);
    assert_eq!((&rehearsed["created"], &rehearsed["dry_run"]), (&json!(1), &json!(true)));
    let done = home.json(&["import", "shop", "some.csv"]);
    assert_eq!((&done["created"], &done["ignored"]), (&json!(1), &json!(["Size"])));
    let again = home.run(&["import", "shop", "some.csv"]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(
        said.starts_with("1 rows: 0 created, 0 updated, 0 merged, 1 unchanged, 0 refused\nnot taken: Size"),
        "{said}"
    );

    let file = home.json(&["export", "shop", "--output", "out.vcf"]);
    assert_eq!((&file["file"], &file["format"]), (&json!("out.vcf"), &json!("vcf")));
    let card = std::fs::read_to_string(home.path("out.vcf")).unwrap();
    assert!(card.contains("FN:Bob Smith\r\n") && card.contains("waid=491701234567"), "{card}");
    assert_eq!(mode(&home.path("out.vcf")), 0o600);
    assert!(home.complaint(&["export", "shop", "--output", "out.vcf"]).contains("exists already"));
    assert_eq!(home.json(&["import", "shop", "out.vcf"])["unchanged"], 1);

    let piped = home.run(&["export", "shop", "--format", "ndjson"]);
    assert_eq!(serde_json::from_slice::<Value>(&piped.stdout).unwrap()["phone"], "491701234567");
}

#[test]
fn refused_rows_are_named_by_their_lines_and_end_with_one() {
    let home = Home::new();
    home.json(&["instance", "create", "shop"]);
    let rows: String = (0..500).map(|n| format!("4917{n:08},Person {n}\n")).collect();
    std::fs::write(home.path("some.csv"), format!("phone,name\n0170,Nobody\n{rows}\"never,closed")).unwrap();
    let output = home.run(&["import", "shop", "some.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("502 rows: 500 created,"));
    let refused = String::from_utf8(output.stderr).unwrap();
    assert!(refused.starts_with("line 2: phone begins with 0"), "{refused}");
    assert!(refused.contains("line 503: row has a quotation mark that is never closed"), "{refused}");

    std::fs::write(home.path("nobody.csv"), "name\nBob\n").unwrap();
    for (arguments, says) in [
        (&["import", "shop", "nobody.csv"][..], "no column of phone numbers"),
        (&["import", "nowhere", "some.csv"], "no such instance"),
        (&["import", "shop", "missing.csv"], "missing.csv cannot be read"),
        (&["import", "shop", "-"], "--format"),
        (&["export", "nowhere"], "no such instance"),
        (&["export", "shop", "--vcard-version", "2.1", "--format", "vcf"], "3.0 or 4.0"),
    ] {
        let complaint = home.complaint(arguments);
        assert!(complaint.contains(says), "{arguments:?}: {complaint}");
    }
}

#[test]
fn an_import_reads_standard_input() {
    use std::io::Write as _;
    let home = Home::new();
    home.json(&["instance", "create", "shop"]);
    let mut command = home.command(["import", "shop", "-", "--format", "ndjson", "--json"]);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"phone\": \"4917011\", \"name\": \"Bob\"}\n").unwrap();
    let output = within("the import", move || child.wait_with_output().unwrap());
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["created"], 1);
}
