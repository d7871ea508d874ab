//! The load generator: keep-alive connections that each have one request under way, on few threads, with as little
//! work for each answer as can be. It reads a status and a length and nothing else of an answer; what is asked and of
//! whom is the row's business. Either each connection asks again as soon as it was answered, or requests fall due at a
//! pace that waits for no answer.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rustix::time::{ClockId, clock_gettime};

use crate::questions::{Dice, Questions};

pub struct Load<'a> {
    pub address: SocketAddr,
    pub connections: usize,
    pub threads: usize,
    pub warm_up: Duration,
    pub window: Duration,
    pub questions: &'a Questions,
    /// Requests that fall due each second, whatever comes of those before them; `None`: as fast as answers come.
    pub pace: Option<f64>,
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
    /// Nanoseconds from when a request was begun, or fell due, to the last byte read.
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
    pace: Option<Pace>,
}

/// When the next request falls due, and the connections that nobody waits at. A request that finds none waits, and its time
/// counts from when it fell due: what is slow is not hidden by asking less.
struct Pace {
    due: Instant,
    every: Duration,
    free: VecDeque<usize>,
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
        let threads = load.threads.clamp(1, load.connections);
        let pace = load.pace.map(|pace| Pace {
            due: Instant::now(),
            every: Duration::from_secs_f64(threads as f64 / pace),
            free: (0..share).collect(),
        });
        Ok(Self { questions: load.questions, poll, connections, dice, serial, step: threads as u64, pace })
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
        if self.pace.is_none() {
            (0..self.connections.len()).for_each(|place| self.ask(place, Instant::now()));
        }
        let mut events = Events::with_capacity(1024);
        let mut before = None;
        loop {
            let until_due = self.pace.as_ref().filter(|pace| !pace.free.is_empty()).map(Pace::until_due);
            let patience = until_due.unwrap_or(Duration::MAX).min(Duration::from_millis(50));
            match self.poll.poll(&mut events, Some(patience)) {
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
            self.keep_pace();
        }
        if let Some(pace) = &mut self.pace {
            // What fell due and was never asked was the slowest of all.
            while pace.due < ends {
                measured.latency.saturating_record((ends - pace.due).as_nanos() as u64);
                pace.due += pace.every;
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
                match &mut self.pace {
                    Some(pace) => pace.free.push_back(place),
                    None => self.ask(place, Instant::now()),
                }
            }
            Progress::Lost => {
                connection.is_lost = true;
                measured.failures += 1;
                measured.complaint.get_or_insert_with(|| "the connection was lost".into());
            }
        }
    }

    /// Asks what has fallen due, as far as connections are free.
    fn keep_pace(&mut self) {
        while let Some(pace) = &mut self.pace
            && pace.until_due().is_zero()
            && let Some(place) = pace.free.pop_front()
        {
            let due = pace.due;
            pace.due += pace.every;
            self.ask(place, due);
        }
    }

    fn ask(&mut self, place: usize, began: Instant) {
        let Questions { forms, contacts } = self.questions;
        self.serial += self.step;
        let (form, contact) = (self.dice.below(forms.len() as u64), self.dice.below(*contacts));
        let connection = &mut self.connections[place];
        forms[form as usize].fill([contact, self.serial], &mut connection.request);
        (connection.sent, connection.filled) = (0, 0);
        connection.began = began;
        // What goes wrong here is met again, and told, when the poller reports the connection.
        let _ = connection.send();
    }
}

impl Pace {
    fn until_due(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
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
