//! The load generator: keep-alive connections that each have one request under way, on few threads, with as little
//! work for each answer as can be. It reads a status and a length and nothing else of an answer; what is asked and of
//! whom is the row's business.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rustix::time::{ClockId, clock_gettime};

/// A request rendered once. A run of `#` in it is a blank that is filled in with a number each time it is asked.
pub struct Form {
    text: Vec<u8>,
    blanks: Vec<(usize, usize)>,
}

impl Form {
    pub fn get(target: &str, headers: &str) -> Self {
        Self::new(format!("GET {target} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n"))
    }

    pub fn post(target: &str, body: &str) -> Self {
        Self::send("POST", target, "", body)
    }

    /// `headers`: whole lines.
    pub fn send(method: &str, target: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: bench\r\n{headers}content-type: application/json\r\n");
        Self::new(format!("{head}content-length: {length}\r\n\r\n{body}"))
    }

    fn new(text: String) -> Self {
        let text = text.into_bytes();
        let mut blanks: Vec<(usize, usize)> = Vec::new();
        for (place, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'#') {
            match blanks.last_mut() {
                Some((_, end)) if *end == place => *end += 1,
                _ => blanks.push((place, place + 1)),
            }
        }
        Self { text, blanks }
    }

    fn fill(&self, numbers: [u64; 2], request: &mut Vec<u8>) {
        request.clear();
        request.extend_from_slice(&self.text);
        for ((begin, end), mut number) in self.blanks.iter().zip(numbers) {
            for byte in request[*begin..*end].iter_mut().rev() {
                *byte = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }
}

/// What is asked, again and again: one of the forms, drawn at random, its first blank filled in with one of `contacts`
/// numbers, also at random, and its second with a number that no other request has.
pub struct Questions {
    pub forms: Vec<Form>,
    pub contacts: u64,
}

pub struct Load<'a> {
    pub address: SocketAddr,
    pub connections: usize,
    pub threads: usize,
    pub warm_up: Duration,
    pub window: Duration,
    pub questions: &'a Questions,
}

/// What was seen within the window.
#[derive(Clone)]
pub struct Measured {
    pub answers: u64,
    /// Answers other than 200, and connections that were lost, also before the window.
    pub failures: u64,
    /// Status and body of the first of them.
    pub complaint: Option<String>,
    pub window: Duration,
    /// Nanoseconds from the last byte sent to the last byte read.
    pub latency: Histogram<u64>,
    /// What the busiest thread of the generator used of its core.
    pub generator_cpu: Duration,
    /// Of all generator threads.
    pub generators_cpu: Duration,
    pub process_cpu: Duration,
}

impl Load<'_> {
    pub fn run(&self) -> anyhow::Result<Measured> {
        let threads = self.threads.clamp(1, self.connections);
        let connect = |place| Generator::connect(self, place, (self.connections + place) / threads);
        let generators = (0..threads).map(connect).collect::<anyhow::Result<Vec<_>>>()?;
        // Only now: a connection that met a full backlog is tried again after a second, which is not to be measured.
        let begins = Instant::now() + self.warm_up;
        let ends = begins + self.window;
        let parts = std::thread::scope(|scope| {
            let spawn = |generator| {
                let thread = std::thread::Builder::new().name("load".into());
                thread.spawn_scoped(scope, move || Generator::run(generator, begins, ends))
            };
            let running = generators.into_iter().map(spawn).collect::<Result<Vec<_>, _>>()?;
            let joined = running.into_iter().map(|thread| thread.join().expect("the generator does not panic"));
            joined.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let whole = parts[1..].iter().fold(parts[0].clone(), Measured::beside);
        anyhow::ensure!(whole.answers > 0, "nothing was answered within the window");
        Ok(whole)
    }
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.window.as_secs_f64()
    }

    /// Of two threads in the same window.
    fn beside(self, other: &Self) -> Self {
        let busiest = self.generator_cpu.max(other.generator_cpu);
        let (window, process_cpu) = (self.window, self.process_cpu.max(other.process_cpu));
        Self { generator_cpu: busiest, window, process_cpu, ..self.after(other) }
    }

    /// Of one window and an earlier one.
    pub fn after(mut self, earlier: &Self) -> Self {
        self.answers += earlier.answers;
        self.failures += earlier.failures;
        self.complaint = earlier.complaint.clone().or(self.complaint);
        self.window += earlier.window;
        self.latency += &earlier.latency;
        self.generator_cpu += earlier.generator_cpu;
        self.generators_cpu += earlier.generators_cpu;
        self.process_cpu += earlier.process_cpu;
        self
    }
}

/// One thread of the generator, with its share of the connections.
struct Generator<'a> {
    questions: &'a Questions,
    poll: Poll,
    connections: Vec<Connection>,
    dice: Dice,
    serial: u64,
    step: u64,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    began: Instant,
    answer: Vec<u8>,
    filled: usize,
    is_lost: bool,
}

enum Progress {
    /// A whole answer has arrived, with this status.
    Answered(u16),
    Waiting,
    Lost,
}

impl<'a> Generator<'a> {
    fn connect(load: &Load<'a>, place: usize, share: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(share);
        for token in 0..share {
            // Connected before it is made non-blocking, so that a full backlog waits instead of failing.
            let stream = std::net::TcpStream::connect(load.address).context("the server does not take connections")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Connection::new(stream));
        }
        // Whatever number a request has, no other of the same run has it: the threads count in steps, and each run
        // begins where the clock stands, in microseconds, which is further than the run before has counted.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let serial = now.as_micros() as u64 + place as u64;
        let dice = Dice(serial | 1);
        Ok(Self { questions: load.questions, poll, connections, dice, serial, step: load.threads as u64 })
    }

    fn run(mut self, begins: Instant, ends: Instant) -> anyhow::Result<Measured> {
        let mut measured = Measured {
            answers: 0,
            failures: 0,
            complaint: None,
            window: ends - begins,
            latency: Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?,
            generator_cpu: Duration::ZERO,
            generators_cpu: Duration::ZERO,
            process_cpu: Duration::ZERO,
        };
        for place in 0..self.connections.len() {
            self.ask(place);
        }
        let mut events = Events::with_capacity(1024);
        let mut before = None;
        loop {
            match self.poll.poll(&mut events, Some(Duration::from_millis(50))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            let now = Instant::now();
            if now >= begins && before.is_none() {
                before = Some((cpu(ClockId::ThreadCPUTime), cpu(ClockId::ProcessCPUTime)));
            }
            if now >= ends {
                break;
            }
            for event in &events {
                self.attend(event.token().0, before.is_some(), &mut measured);
            }
        }
        let (thread, process) = before.context("the window never began")?;
        measured.generator_cpu = cpu(ClockId::ThreadCPUTime) - thread;
        measured.generators_cpu = measured.generator_cpu;
        measured.process_cpu = cpu(ClockId::ProcessCPUTime) - process;
        Ok(measured)
    }

    fn attend(&mut self, place: usize, counts: bool, measured: &mut Measured) {
        let connection = &mut self.connections[place];
        match connection.proceed() {
            Progress::Waiting => {}
            Progress::Answered(status) => {
                if counts {
                    measured.answers += 1;
                    let nanos = connection.began.elapsed().as_nanos() as u64;
                    measured.latency.saturating_record(nanos);
                }
                if status != 200 {
                    measured.failures += 1;
                    measured.complaint.get_or_insert_with(|| connection.told());
                }
                self.ask(place);
            }
            Progress::Lost => {
                connection.is_lost = true;
                measured.failures += 1;
                measured.complaint.get_or_insert_with(|| "the connection was lost".into());
            }
        }
    }

    fn ask(&mut self, place: usize) {
        let Questions { forms, contacts } = self.questions;
        self.serial += self.step;
        let (form, contact) = (self.dice.below(forms.len() as u64), self.dice.below(*contacts));
        let connection = &mut self.connections[place];
        forms[form as usize].fill([contact, self.serial], &mut connection.request);
        (connection.sent, connection.filled) = (0, 0);
        connection.began = Instant::now();
        // What goes wrong here is met again, and told, when the poller reports the connection.
        let _ = connection.send();
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let (request, answer) = (Vec::new(), vec![0; 16 * 1024]);
        Self { stream, request, sent: 0, began: Instant::now(), answer, filled: 0, is_lost: false }
    }

    /// Sends what is left to send and reads what has come.
    fn proceed(&mut self) -> Progress {
        if self.is_lost {
            return Progress::Waiting;
        }
        if self.send().is_err() {
            return Progress::Lost;
        }
        loop {
            if self.filled == self.answer.len() {
                self.answer.resize(self.filled * 2, 0);
            }
            match self.stream.read(&mut self.answer[self.filled..]) {
                Ok(0) => return Progress::Lost,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(_) => return Progress::Lost,
            }
            // One request is under way, so a whole answer means that there is nothing more to read.
            if let Some((status, length)) = head(&self.answer[..self.filled])
                && self.filled >= length
            {
                return Progress::Answered(status);
            }
        }
    }

    fn send(&mut self) -> std::io::Result<()> {
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn told(&self) -> String {
        let text = String::from_utf8_lossy(&self.answer[..self.filled]);
        let status = text.lines().next().unwrap_or_default();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        format!("{status}: {}", body.chars().take(200).collect::<String>())
    }
}

/// The status and the length of the whole answer, once its head is there.
fn head(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let status = number(answer.get(9..12)?);
    let length = answer[..end].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| number(value))
    });
    Some((status as u16, end + length.unwrap_or(0)))
}

fn number(text: &[u8]) -> usize {
    text.iter().filter(|byte| byte.is_ascii_digit()).fold(0, |number, byte| number * 10 + usize::from(byte - b'0'))
}

pub fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Xorshift: good enough to pick contacts, and nothing beside a request.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides.max(1)
    }
}
