//! No URL and no name leads where it may not: a table of URLs, a name that leads elsewhere the second time, and an ear on
//! loopback that hears nothing.

use std::{
    net::TcpListener,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

/// What each of these names leads to; every other leads nowhere.
const NAMES: [(&str, &str); 12] = [
    ("public.example", "93.184.215.14"),
    ("six.example", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
    ("home.example", "127.0.0.1"),
    ("home6.example", "::1"),
    ("ten.example", "10.1.2.3"),
    ("cloud.example", "169.254.169.254"),
    ("mapped.example", "::ffff:127.0.0.1"),
    ("unique.example", "fd12::1"),
    ("nat64.example", "64:ff9b::7f00:1"),
    ("waha.internal", "10.1.2.3"),
    ("friend.example", "127.0.0.1"),
    ("xn--mnchen-3ya.example", "93.184.215.14"),
];

struct Table;

impl Resolver for Table {
    fn resolve(&self, name: &str) -> Resolved {
        let name = name.trim_end_matches('.');
        let found = NAMES.iter().filter(|(known, _)| *known == name).map(|(_, address)| address.parse().unwrap());
        let found: Vec<_> = found.collect();
        Box::pin(async move { if found.is_empty() { Err(io::Error::other("nowhere")) } else { Ok(found) } })
    }
}

/// Public at first, loopback ever after.
#[derive(Default)]
struct Rebinding(AtomicUsize);

impl Resolver for Rebinding {
    fn resolve(&self, _: &str) -> Resolved {
        let address = if self.0.fetch_add(1, Ordering::Relaxed) == 0 { "93.184.215.14" } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
    }
}

fn outside(allow: &[&str], resolver: impl Resolver) -> Outside {
    let allow = AllowList::parse(allow.iter().copied()).unwrap();
    Outside::new(allow, Arc::new(resolver), Duration::from_secs(5))
}

/// A listener that must never be connected to; answers whoever does, so that a test would see it.
struct Canary {
    port: u16,
    heard: Arc<Mutex<usize>>,
}

impl Canary {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(0));
        let count = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                *count.lock().unwrap() += 1;
                let _ = io::Read::read(&mut stream, &mut [0; 4096]);
                let _ = io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> usize {
        *self.heard.lock().unwrap()
    }
}

fn message(to: &Destination) -> Message {
    Message { url: to.url().to_string(), headers: Vec::new(), body: b"{}".to_vec() }
}

/// `%` is the canary's port.
const URLS: [(&str, bool); 98] = [
    ("https://public.example/hook", true),
    ("http://public.example/hook?key=1#part", true),
    ("https://public.example:8443/", true),
    ("https://public.example./", true),
    ("https://PUBLIC.example/", true),
    ("https://six.example/", true),
    ("https://münchen.example/", true),
    ("https://8.8.8.8/", true),
    ("https://[2606:4700::1111]/", true),
    ("https://[::ffff:8.8.8.8]/", true),
    ("https://0x08.0x08.0x08.0x08/", true),
    ("https://not-yet.example/", true),
    ("http://127.0.0.1:%/", false),
    ("http://127.1:%/", false),
    ("http://127.0.1:%/", false),
    ("http://127.255.255.254:%/", false),
    ("http://2130706433:%/", false),
    ("http://0x7f000001:%/", false),
    ("http://0x7F.0.0.1:%/", false),
    ("http://0177.0.0.1:%/", false),
    ("http://017700000001:%/", false),
    ("http://0x7f.1:%/", false),
    ("http://127.0.0.1.:%/", false),
    ("http://%31%32%37.0.0.1:%/", false),
    ("http://127%2e0%2e0%2e1:%/", false),
    ("http://127。0。0。1:%/", false),
    ("http://①②⑦.0.0.1:%/", false),
    ("http://127.0.0.1:%/", false),
    ("http://[::1]:%/", false),
    ("http://[0:0:0:0:0:0:0:1]:%/", false),
    ("http://[::]:%/", false),
    ("http://[::127.0.0.1]:%/", false),
    ("http://[::ffff:127.0.0.1]:%/", false),
    ("http://[::ffff:7f00:1]:%/", false),
    ("http://[0:0:0:0:0:ffff:127.0.0.1]:%/", false),
    ("http://[::ffff:10.0.0.1]/", false),
    ("http://[64:ff9b::127.0.0.1]:%/", false),
    ("http://[64:ff9b:1::1]/", false),
    ("http://[2002:7f00:1::]:%/", false),
    ("http://[2001::1]/", false),
    ("http://[2001:db8::1]/", false),
    ("http://[fc00::1]/", false),
    ("http://[fd00:ec2::254]/", false),
    ("http://[fe80::1]/", false),
    ("http://[fe80::1%25eth0]/", false),
    ("http://[fec0::1]/", false),
    ("http://[ff02::1]/", false),
    ("http://0:%/", false),
    ("http://0.0.0.0:%/", false),
    ("http://0.1.2.3/", false),
    ("http://10.0.0.1/", false),
    ("http://100.64.0.1/", false),
    ("http://100.100.100.200/", false),
    ("http://168.63.129.16/", false),
    ("http://169.254.169.254/latest/meta-data/", false),
    ("http://0xa9fea9fe/", false),
    ("http://2852039166/", false),
    ("http://172.16.0.1/", false),
    ("http://172.31.255.255/", false),
    ("http://192.0.0.1/", false),
    ("http://192.0.2.1/", false),
    ("http://192.88.99.1/", false),
    ("http://192.168.0.1/", false),
    ("http://198.18.0.1/", false),
    ("http://198.51.100.1/", false),
    ("http://203.0.113.1/", false),
    ("http://224.0.0.1/", false),
    ("http://240.0.0.1/", false),
    ("http://255.255.255.255/", false),
    ("http://localhost:%/", false),
    ("http://LOCALHOST:%/", false),
    ("http://localhost.:%/", false),
    ("http://ｌocalhost:%/", false),
    ("http://anything.localhost:%/", false),
    ("http://intranet/", false),
    ("http://printer.local/", false),
    ("http://metadata.google.internal/", false),
    ("http://home.example:%/", false),
    ("http://home.example.:%/", false),
    ("http://home6.example:%/", false),
    ("http://ten.example/", false),
    ("http://cloud.example/", false),
    ("http://mapped.example:%/", false),
    ("http://unique.example/", false),
    ("http://nat64.example:%/", false),
    ("http://user@public.example/", false),
    ("http://public.example:secret@127.0.0.1:%/", false),
    ("http://public.example:0/", false),
    ("http://@public.example/", false),
    ("http:public.example/", false),
    ("http:/public.example/", false),
    (" https://public.example/", false),
    ("https://public.exa\tmple/", false),
    ("https://public.example\\@127.0.0.1:%/", true),
    ("ftp://public.example/", false),
    ("file:///etc/passwd", false),
    ("gopher://127.0.0.1:%/", false),
    ("//public.example/hook", false),
];

#[tokio::test]
async fn every_way_of_writing_an_address_gets_its_verdict_and_the_canary_hears_nothing() {
    let canary = Canary::new();
    let strict = outside(&[], Table);
    // The same doors are tried past the first check, as if a name had been public when it was registered.
    let blind = outside(
        &["0.0.0.0/0", "::/0", "localhost", "home.example", "home6.example", "mapped.example", "nat64.example"],
        Table,
    );
    for (url, verdict) in URLS {
        let url = with_port(url, canary.port);
        let found = strict.check(&url).await;
        assert_eq!(found.is_ok(), verdict, "{url}");
        if let (false, Ok(destination)) = (verdict, blind.read(&url)) {
            assert_eq!(strict.carry(message(&destination)).await, Err(NoReceipt::Forbidden), "{url}");
        }
    }
    assert_eq!(canary.heard(), 0, "nothing has reached loopback");
}

/// Not every `%` is a port.
fn with_port(url: &str, port: u16) -> String {
    url.replace(":%/", &format!(":{port}/"))
}

#[tokio::test]
async fn a_name_that_was_public_when_registered_does_not_lead_home_later() {
    let canary = Canary::new();
    let outside = outside(&[], Rebinding::default());
    let destination = outside.check(&format!("http://rebinding.example:{}/", canary.port)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(outside.carry(message(&destination)).await, Err(NoReceipt::Forbidden));
    }
    assert_eq!(canary.heard(), 0);
}

#[tokio::test]
async fn what_the_operator_allows_is_reached() {
    let canary = Canary::new();
    for (allow, host) in
        [("127.0.0.0/8", "127.0.0.1"), ("friend.example", "friend.example"), ("127.0.0.1", "home.example")]
    {
        let before = canary.heard();
        let outside = outside(&[allow], Table);
        let destination = outside.check(&format!("http://{host}:{}/", canary.port)).await.unwrap();
        let receipt = outside.carry(message(&destination)).await.unwrap();
        assert_eq!((receipt.status, canary.heard()), (204, before + 1), "{allow}");
    }
    assert!(outside(&["waha.internal"], Table).check("http://waha.internal/").await.is_ok());
    assert!(outside(&["friend.example"], Table).check("http://home.example/").await.is_err());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let canary = Canary::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), canary.port);
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = io::Read::read(&mut stream, &mut [0; 4096]);
        let head =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{to}/\r\ncontent-length: 0\r\n\r\n");
        io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    });
    let outside = outside(&["127.0.0.1"], Table);
    let destination = outside.check(&format!("http://127.0.0.1:{port}/")).await.unwrap();
    assert_eq!(outside.carry(message(&destination)).await.unwrap().status, 307);
    assert_eq!(canary.heard(), 0);
}

#[tokio::test]
async fn who_is_not_there_and_who_never_answers_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let allow = AllowList::parse(["127.0.0.1"]).unwrap();
    let outside = Outside::new(allow, Arc::new(Table), Duration::from_millis(300));
    for (port, outcome) in
        [(closed, NoReceipt::Unreachable), (silent.local_addr().unwrap().port(), NoReceipt::TimedOut)]
    {
        let destination = outside.read(&format!("http://127.0.0.1:{port}/")).unwrap();
        assert_eq!(outside.carry(message(&destination)).await, Err(outcome));
    }
    let nowhere = outside.read("http://not-yet.example/").unwrap();
    assert_eq!(outside.carry(message(&nowhere)).await, Err(NoReceipt::Unresolved));
}

#[test]
fn how_long_to_wait_is_said_in_seconds_or_as_a_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
    let seconds = |value| read_retry_after(value, now).map(|wait| wait.as_secs());
    assert_eq!(seconds("120"), Some(120));
    assert_eq!(seconds("999999999"), Some(86_400), "a day at most");
    assert_eq!(seconds("Wed, 21 Oct 2015 07:30:00 GMT"), Some(120));
    assert_eq!(seconds("Tue, 21 Oct 2014 07:30:00 GMT"), Some(0), "long past");
    for value in ["", "-1", "soon", "1.5"] {
        assert_eq!(seconds(value), None, "{value}");
    }
}
