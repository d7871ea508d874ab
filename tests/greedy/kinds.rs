//! The kinds of bad clients: what each sends before it falls silent, and how it notices that it was closed. Those who do
//! not read must notice without reading.

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

#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub is_stream: bool,
    reads: bool,
    says: fn(&Stage) -> String,
    /// What comes after the answer to what was said first.
    adds: &'static str,
}

const HALF_A_HEAD: &str = "GET /healthz HTTP/1.1\r\nHost: here\r\nX-More: ";

pub const KINDS: [Kind; 7] = [
    Kind { name: "silent", is_stream: false, reads: true, says: |_| String::new(), adds: "" },
    Kind { name: "half a first head", is_stream: false, reads: true, says: |_| HALF_A_HEAD.to_owned(), adds: "" },
    Kind {
        name: "half a second head",
        is_stream: false,
        reads: true,
        says: |_| whole("/healthz", ""),
        adds: HALF_A_HEAD,
    },
    Kind {
        name: "half a second head at once",
        is_stream: false,
        reads: true,
        says: |_| whole("/healthz", "") + HALF_A_HEAD,
        adds: "",
    },
    Kind { name: "half a body", is_stream: false, reads: true, says: half_a_body, adds: "" },
    // One answer fits into what the system holds; so many do not.
    Kind {
        name: "never reads",
        is_stream: false,
        reads: false,
        says: |_| whole("/v1/openapi.json", "").repeat(60),
        adds: "",
    },
    Kind { name: "unread events", is_stream: true, reads: false, says: events, adds: "" },
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

pub struct Bad {
    pub kind: Kind,
    stream: TcpStream,
    began: Instant,
}

impl Bad {
    pub fn begin(kind: Kind, stage: &Stage) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Who does not read has little room for what it does not read.
        socket.set_recv_buffer_size(4096).unwrap();
        let address: std::net::SocketAddr = stage.address.parse().unwrap();
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all((kind.says)(stage).as_bytes()).unwrap();
        if !kind.adds.is_empty() {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0, "the first request is answered");
            stream.write_all(kind.adds.as_bytes()).unwrap();
        }
        stream.set_nonblocking(true).unwrap();
        Self { kind, stream, began: Instant::now() }
    }

    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn is_closed(&mut self) -> bool {
        if !self.kind.reads {
            return self.stream.take_error().unwrap().is_some();
        }
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => true,
            // A last word before the end.
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}
