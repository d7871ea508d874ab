//! The client of WAHA against a server that misbehaves in every way that bytes allow: each ends in one word, in bounded
//! time and memory.

use std::time::Instant;

use rstest::rstest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::sync::companion::{Blame, There};

/// Answers every connection with these bytes, then goes on as told; hands back what it was sent first.
async fn server(answer: Vec<u8>, then: Then) -> (Waha, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 65_536];
        let length = stream.read(&mut head).await.unwrap();
        let _ = stream.write_all(&answer).await;
        match then {
            Then::Close => {}
            Then::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
            Then::Pour => {
                let chunk = vec![b' '; 1 << 20];
                for _ in 0..100 {
                    if stream.write_all(&chunk).await.is_err() {
                        break;
                    }
                }
            }
        }
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let settings = CompanionSettings {
        url,
        session: "default".into(),
        api_key: Some("hush".into()),
        pace: 60,
        pull_every: Duration::from_secs(60),
    };
    (Waha::new(&settings, Arc::new(outside())).unwrap().impatient(Duration::from_millis(700)), heard)
}

/// This machine may be reached.
fn outside() -> Outside {
    crate::sync::install_tls();
    let allow = crate::sync::AllowList::parse(["127.0.0.1"]).unwrap();
    Outside::new(allow, Arc::new(crate::sync::SystemResolver::default()), Duration::from_secs(5))
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    Hang,
    Pour,
}

fn answer(status: &str, head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{head}\r\n{body}", body.len()).into_bytes()
}

fn bob() -> Saved {
    Saved { first: NamePart::parse("Bob", "name").unwrap(), last: None, by: None }
}

fn who() -> ChatId {
    "15551234567".parse().unwrap()
}

const ALL: Window = Window { limit: 500, offset: 0 };

#[tokio::test]
async fn a_name_is_put_as_waha_documents_it() {
    let (waha, heard) = server(answer("200 OK", "", r#"{"success":true}"#), Then::Close).await;
    waha.save(who(), &bob()).await.unwrap();
    let heard = heard.await.unwrap();
    assert!(heard.starts_with("PUT /base/api/default/contacts/15551234567@c.us HTTP/1.1\r\n"), "{heard}");
    assert!(heard.to_ascii_lowercase().contains("x-api-key: hush\r\n"));
    assert!(heard.ends_with(r#"{"firstName":"Bob","lastName":""}"#), "{heard}");
}

#[tokio::test]
async fn contacts_are_listed_with_a_window_and_in_an_order_that_names_do_not_change() {
    let body = r#"[{"id":"15551234567@c.us","name":"Bob","pushname":"Bobby","isMyContact":true}]"#;
    let (waha, heard) = server(answer("200 OK", "", body), Then::Close).await;
    let page = waha.contacts(Window { limit: 500, offset: 1000 }).await.unwrap();
    assert_eq!((page.listed, &page.rows[0].saved), (1, &There::Named(bob())));
    let heard = heard.await.unwrap();
    let line = "GET /base/api/contacts/all?limit=500&offset=1000&session=default&sortBy=id&sortOrder=asc HTTP/1.1\r\n";
    assert!(heard.starts_with(line), "{heard}");
}

#[rstest]
#[case::an_error("500 Internal Server Error", "", "{}", "server_error", Blame::Unclear)]
#[case::garbage("200 OK", "", "<html>Welcome!</html>", "garbage", Blame::Unclear)]
#[case::not_taken("200 OK", "", r#"{"success":false}"#, "not_taken", Blame::Contact)]
#[case::elsewhere("302 Found", "location: http://127.0.0.1:1/\r\n", "", "redirected", Blame::Companion)]
#[case::a_wrong_key("401 Unauthorized", "", "{}", "unauthorized", Blame::Companion)]
#[case::refused("400 Bad Request", "", "{}", "rejected_400", Blame::Contact)]
#[tokio::test]
async fn a_put_that_is_answered_with(
    #[case] status: &str,
    #[case] head: &str,
    #[case] body: &str,
    #[case] word: &str,
    #[case] blame: Blame,
) {
    let (waha, _) = server(answer(status, head, body), Then::Close).await;
    let trouble = waha.save(who(), &bob()).await.unwrap_err();
    assert_eq!((trouble.word, trouble.blame), (word, blame));
}

#[tokio::test]
async fn an_empty_good_answer_is_good() {
    let (waha, _) = server(answer("201 Created", "", ""), Then::Close).await;
    waha.save(who(), &bob()).await.unwrap();
}

#[tokio::test]
async fn the_wait_that_was_asked_for_comes_with_the_trouble() {
    let (waha, _) = server(answer("429 Too Many Requests", "retry-after: 77\r\n", ""), Then::Close).await;
    let trouble = waha.save(who(), &bob()).await.unwrap_err();
    assert_eq!((trouble.word, trouble.wait), ("limited", Some(Duration::from_secs(77))));
}

#[rstest]
#[case::silence(Vec::new(), Then::Hang, "timeout")]
#[case::half_an_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[".to_vec(), Then::Hang, "timeout")]
#[case::a_closed_door(Vec::new(), Then::Close, "no_answer")]
#[case::what_is_no_http(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Then::Close, "no_answer")]
#[case::a_hundred_megabytes(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n".to_vec(), Then::Pour, "too_large")]
#[case::without_end(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Then::Pour, "too_large")]
#[tokio::test]
async fn bytes_that_are_no_answer(#[case] bytes: Vec<u8>, #[case] then: Then, #[case] word: &str) {
    let (waha, _) = server(bytes, then).await;
    let begin = Instant::now();
    // As long as the whole answer may take, and somewhat more.
    let waha = if word == "too_large" { waha.impatient(Duration::from_secs(30)) } else { waha };
    assert_eq!(waha.contacts(ALL).await.unwrap_err().word, word);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let pull_every = Duration::from_secs(60);
    let settings = CompanionSettings { url, session: "default".into(), api_key: None, pace: 60, pull_every };
    let trouble = Waha::new(&settings, Arc::new(outside())).unwrap().lookup(who()).await.unwrap_err();
    assert_eq!((trouble.word, trouble.blame), ("unreachable", Blame::Companion));
}

#[rstest]
#[case("http://waha.example.com:3000/", Some("http://waha.example.com:3000"))]
#[case("HTTPS://Waha.Example.com/some/where/", Some("https://waha.example.com/some/where"))]
#[case("http://192.168.1.7:3000", Some("http://192.168.1.7:3000"))]
#[case("ftp://waha.example.com", None)]
#[case("waha.example.com", None)]
#[case("http://user:secret@waha.example.com", None)]
#[case("http://waha.example.com/?x=1", None)]
#[case("http://waha.example.com/#x", None)]
#[case("http://", None)]
#[case("", None)]
fn where_a_companion_is(#[case] text: &str, #[case] url: Option<&str>) {
    assert_eq!(parse_url(text).ok().as_deref(), url);
}
