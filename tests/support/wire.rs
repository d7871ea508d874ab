//! One keep-alive connection, byte for byte: what is sent may be wrong in any way, and the answer is kept as it came.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use super::PATIENCE;

pub struct Wire {
    stream: BufReader<TcpStream>,
    address: String,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub head: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Wire {
    pub fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned() })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request with these further headers, each a line, and a body of the right length, if there is one.
    pub fn ask(&mut self, what: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
        let is_head = what.starts_with("HEAD ");
        self.send(&request(what, &self.address, headers, body))?;
        self.read(is_head)
    }

    pub fn get(&mut self, target: &str) -> io::Result<Answer> {
        self.ask(&format!("GET {target}"), &[], b"")
    }

    pub fn post(&mut self, target: &str, body: &Value) -> io::Result<Answer> {
        self.ask(&format!("POST {target}"), &["Content-Type: application/json"], body.to_string().as_bytes())
    }

    /// Says that nothing more will be sent, and still listens.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.get_mut().shutdown(std::net::Shutdown::Write)
    }

    /// The next answer, whole. An end before its first byte is `UnexpectedEof` with `Unanswered` for its text.
    pub fn answer(&mut self) -> io::Result<Answer> {
        self.read(false)
    }

    /// Whether the other side has closed; waits for that, or for a byte that nobody asked for.
    pub fn is_closed(&mut self) -> bool {
        self.stream.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    fn read(&mut self, is_head: bool) -> io::Result<Answer> {
        if self.is_at_its_end()? {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, UNANSWERED));
        }
        let broken = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| broken("no status line"))?;
        let mut head = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken("no header"))?;
            head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        // A stream of events has no end.
        let is_endless = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if is_head || is_endless {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            self.read_chunks(&mut answer.body)?;
        } else {
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body).map_err(|_| broken("the body broke off"))?;
        }
        Ok(answer)
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "the body broke off");
        loop {
            let size = usize::from_str_radix(&self.line()?, 16)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no size of a chunk"))?;
            let begin = body.len();
            body.resize(begin + size, 0);
            self.stream.read_exact(&mut body[begin..]).map_err(broken)?;
            self.line()?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Waits for the next byte, or the end. A signal to this process is neither.
    fn is_at_its_end(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                filled => return filled.map(<[u8]>::is_empty),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the head broke off")),
        }
    }
}

const UNANSWERED: &str = "closed without an answer";

/// Whether the connection ended before an answer began, not within one.
pub fn is_unanswered(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// All of it but the date and the order of headers, which is drawn anew for every answer: to be compared.
    pub fn undated(mut self) -> (u16, Vec<(String, String)>, Vec<u8>) {
        self.head.retain(|(name, _)| name != "date");
        self.head.sort();
        (self.status, self.head, self.body)
    }
}

fn request(what: &str, address: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{what} HTTP/1.1\r\nHost: {address}\r\n");
    for header in headers {
        bytes += header;
        bytes += "\r\n";
    }
    if !body.is_empty() {
        bytes += &format!("Content-Length: {}\r\n", body.len());
    }
    bytes += "\r\n";
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
