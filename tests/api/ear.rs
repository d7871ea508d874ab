//! An ear for webhooks: a receiver on loopback that hands on what it hears and answers as it was told to. Speaks just as much
//! HTTP as the gateway's client needs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use crate::shared::PATIENCE;

/// How long is waited for something that shall not come.
const SILENCE: Duration = Duration::from_millis(400);

pub struct Ear {
    pub url: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    heard: mpsc::Receiver<Heard>,
}

#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    /// With a further line in the head.
    With(u16, &'static str),
    /// Never.
    Silence,
}

pub struct Heard {
    pub target: String,
    pub head: HeaderMap,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn id(&self) -> String {
        self.head["webhook-id"].to_str().unwrap().to_owned()
    }

    /// By the reference implementation.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.body, &self.head).is_ok()
    }

    /// The event's kind and whom it is about.
    pub fn story(&self) -> String {
        let body = self.json();
        let contact = &body["data"]["contact"];
        let name = contact["display"].as_str().unwrap_or("nobody");
        format!("{} {} {name}", body["type"].as_str().unwrap(), contact["chat_id"].as_str().unwrap())
    }
}

impl Ear {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=42", listener.local_addr().unwrap());
        let answers = Arc::<Mutex<VecDeque<Answer>>>::default();
        let (tell, heard) = mpsc::channel(10_000);
        let known = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listen(stream, Arc::clone(&known), tell.clone()));
            }
        });
        Self { url, answers, heard }
    }

    /// What it answers to the next ones; afterwards 204.
    pub fn will_say(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The next delivery, which must come.
    pub async fn next(&mut self) -> Heard {
        timeout(PATIENCE, self.heard.recv()).await.expect("a delivery comes").unwrap()
    }

    pub async fn next_story(&mut self) -> String {
        self.next().await.story()
    }

    pub async fn hears_nothing(&mut self) -> bool {
        timeout(SILENCE, self.heard.recv()).await.is_err()
    }
}

async fn listen(stream: TcpStream, answers: Arc<Mutex<VecDeque<Answer>>>, tell: mpsc::Sender<Heard>) {
    let mut stream = BufReader::new(stream);
    while let Some(heard) = read(&mut stream).await {
        let _ = tell.send(heard).await;
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
        let (status, line) = match answer {
            Answer::Status(status) => (status, ""),
            Answer::With(status, line) => (status, line),
            Answer::Silence => std::future::pending().await,
        };
        let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
        let end = if status == 204 { "" } else { "content-length: 0\r\n" };
        let head = format!("HTTP/1.1 {status} Whatever\r\n{line}{end}\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (mut head, mut length) = (HeaderMap::new(), 0);
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        head.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value.trim().parse().ok()?);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Heard { target, head, body })
}
