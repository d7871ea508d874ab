//! A connection that does not wait for ever. actix-web ends a first head that does not come; a later head that was begun
//! and not finished, and an answer that nobody reads, it would wait for without an end: those are cut here, below TLS,
//! where every byte passes. A body that does not come is for the rooms (`http::room`).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::http::Turn;

/// actix-web has an answer for a first head that is late, and ends an idle connection in order: it is to have the time.
const SLACK: Duration = Duration::from_secs(1);

/// So much longer than an unread answer is waited for before a peer counts as gone.
const GONE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the rest of a head, from its first byte.
    pub(super) head: Duration,
    /// For the next bytes of an answer to be taken.
    pub(super) answer: Duration,
    /// For the next request.
    pub(super) idle: Duration,
}

pub(super) struct Connection {
    stream: TcpStream,
    patience: Patience,
    turn: Turn,
    /// When the first byte came that belongs to no request yet, and how many requests had begun by then.
    heard: Option<(Instant, u64)>,
    /// Since when nothing of what is to be sent was taken.
    stuck: Option<Instant>,
    /// Set now and then rather than for every request: it may ring too early, never too late.
    clock: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, patience: Patience) -> Self {
        // A peer that is gone without a word is given up by the system. Later than by us, who say goodbye.
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(patience.answer + GONE));
        Self { stream, patience, turn: Turn::default(), heard: None, stuck: None, clock: None }
    }

    pub(super) fn turn(&self) -> &Turn {
        &self.turn
    }

    fn hear(&mut self) {
        if self.turn.is_ours() {
            return;
        }
        let begun = self.turn.begun();
        if self.heard.is_none_or(|(_, before)| before != begun) {
            self.heard = Some((Instant::now(), begun));
        }
    }

    /// What is waited for ends then.
    fn deadline(&mut self) -> Option<Instant> {
        if self.heard.is_some_and(|(_, before)| before != self.turn.begun()) {
            self.heard = None;
        }
        let head = self.heard.map(|(since, _)| since + self.patience.head + SLACK);
        // What came together with the request before it is no news to us, and would be waited for like no other.
        let idle = self.turn.rested().map(|since| Instant::from_std(since) + self.patience.idle + SLACK);
        let answer = self.stuck.map(|since| since + self.patience.answer);
        answer.or(head).or(idle)
    }

    /// Whether somebody has waited long enough; if not, the task is woken when they have.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let Some(deadline) = self.deadline() else { return false };
            if Instant::now() >= deadline {
                return true;
            }
            let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if clock.is_elapsed() || clock.deadline() > deadline {
                clock.as_mut().reset(deadline);
            }
            if clock.as_mut().poll(context).is_pending() {
                return false;
            }
        }
    }

    /// What lies unread in the system's buffers goes with the connection: a reader that sleeps would keep it there.
    fn cut<T>(&mut self) -> Poll<io::Result<T>> {
        let why = match (self.stuck, self.heard) {
            (Some(_), _) => "unread_answer",
            (_, Some(_)) => "unfinished_head",
            _ => "idle",
        };
        metrics::counter!("wabook_connections_cut_total", "why" => why).increment(1);
        tracing::debug!(why, "connection cut");
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn told<T>(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.stuck = None;
            // Whoever still listens to us is not late with what comes next.
            if let Some((since, _)) = &mut self.heard {
                *since = Instant::now();
            }
            return sent;
        }
        self.stuck.get_or_insert_with(Instant::now);
        if self.is_overdue(context) { self.cut() } else { Poll::Pending }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.hear();
        }
        if read.is_pending() && self.is_overdue(context) { self.cut() } else { read }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.told(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.told(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// A socket keeps nothing back.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
