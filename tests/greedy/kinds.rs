//! The kinds of bad clients: what each sends before it falls silent, and how it notices that it was closed. Those who do
//! not read must notice without reading; those who drip read a little every second.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

pub struct Stage {
    pub address: String,
    pub token: String,
    pub epoch: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    All,
    /// So slowly that it might go on for hours.
    Drops,
    Nothing,
}

/// Bytes that whoever drips takes in a second. The system offers us room again when a third of its buffer is free, and that
/// does not come in time.
const DROP: usize = 300;

#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// There are fewer of these: each makes the server work.
    pub is_costly: bool,
    reads: Reads,
    says: fn(&Stage) -> String,
    /// What comes after the answer to what was said first.
    adds: &'static str,
}

const HALF_A_HEAD: &str = "GET /healthz HTTP/1.1\r\nHost: here\r\nX-More: ";

pub const KINDS: [Kind; 8] = [
    Kind { name: "silent", is_costly: false, reads: Reads::All, says: |_| String::new(), adds: "" },
    Kind { name: "half a first head", is_costly: false, reads: Reads::All, says: |_| HALF_A_HEAD.to_owned(), adds: "" },
    Kind {
        name: "half a second head",
        is_costly: false,
        reads: Reads::All,
        says: |_| whole("/healthz", ""),
        adds: HALF_A_HEAD,
    },
    Kind {
        name: "half a second head at once",
        is_costly: false,
        reads: Reads::All,
        says: |_| whole("/healthz", "") + HALF_A_HEAD,
        adds: "",
    },
    Kind { name: "half a body", is_costly: false, reads: Reads::All, says: half_a_body, adds: "" },
    // One answer fits into what the system holds; so many do not.
    Kind {
        name: "never reads",
        is_costly: false,
        reads: Reads::Nothing,
        says: |_| whole("/v1/openapi.json", "").repeat(60),
        adds: "",
    },
    Kind {
        name: "drips",
        is_costly: true,
        reads: Reads::Drops,
        says: |_| whole("/v1/openapi.json", "").repeat(60),
        adds: "",
    },
    Kind { name: "unread events", is_costly: true, reads: Reads::Nothing, says: events, adds: "" },
];

fn whole(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\n{headers}\r\n")
}

fn half_a_body(_: &Stage) -> String {
    "POST /v2/contacts/update HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        .into()
}

fn events(stage: &Stage) -> String {
    let path = format!("/v1/instances/demo/events?last_event_id={}:0", stage.epoch);
    whole(&path, &format!("Authorization: Bearer {}\r\n", stage.token))
}

/// Who does not read has little room for what it does not read.
pub fn with_little_room(address: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub struct Bad {
    pub kind: Kind,
    stream: TcpStream,
    began: Instant,
    drops: u32,
}

impl Bad {
    pub fn begin(kind: Kind, stage: &Stage) -> Self {
        let mut stream = with_little_room(&stage.address);
        stream.write_all((kind.says)(stage).as_bytes()).unwrap();
        if !kind.adds.is_empty() {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0, "the first request is answered");
            stream.write_all(kind.adds.as_bytes()).unwrap();
        }
        stream.set_nonblocking(true).unwrap();
        Self { kind, stream, began: Instant::now(), drops: 0 }
    }

    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn is_closed(&mut self) -> bool {
        let most = match self.kind.reads {
            Reads::Nothing => return self.stream.take_error().unwrap().is_some(),
            Reads::Drops if self.age().as_secs() < self.drops.into() => return false,
            Reads::Drops => DROP,
            Reads::All => 4096,
        };
        self.drops += 1;
        match self.stream.read(&mut [0; 4096][..most]) {
            Ok(0) => true,
            // A last word before the end.
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}
