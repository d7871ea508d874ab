//! The walk through a file as it arrives, in three places at once: the next bytes are read and turned into rows off the
//! thread that speaks HTTP, what they came to is put into bundles here, and the session works on the bundles before them.
//! Each waits for the one after it, so nothing piles up, however fast the bytes come. Leaves out how fast it goes (`pace`).

use std::{
    cell::Cell,
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix_web::{
    rt,
    web::{self, Bytes},
};
use futures_util::{FutureExt as _, future, future::Either};
use tokio::sync::mpsc;

use super::{
    bundle::{Bundle, Prepared, prepare},
    pace::Pace,
    registers::Registers,
    report::ImportReport,
};
use crate::{
    domain::{Edit, Error, Invalid, Result},
    http::{
        room::{Fault, Pieces},
        time::now,
        turn::begun_by_all,
    },
    port::{Empty, Format, Reader},
    session::{Session, Settled},
};

/// A session whose mailbox is full is asked again this often, and after this pause.
const PATIENCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// What the clock can tell apart: shorter rests are added up.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub format: Format,
    pub empty: Empty,
    pub rehearses: bool,
    pub creates: bool,
}

pub struct Import {
    session: Session,
    wish: Wish,
    registers: Registers,
    report: ImportReport,
    /// Being filled.
    bundle: Bundle,
    under_way: VecDeque<UnderWay>,
    pace: Pace,
    /// When the last bundle was done, how many requests had come by then, and what rest is still due.
    settled_at: Instant,
    seen: u64,
    due: Duration,
}

struct UnderWay {
    bundle: Bundle,
    began: Instant,
    /// And when it came.
    answer: rt::task::JoinHandle<(Result<Settled>, Instant)>,
}

impl Import {
    pub async fn begin(session: Session, wish: Wish) -> Result<Self> {
        let registers = Registers::of(&session, wish.creates, wish.rehearses).await?;
        let pace = Pace::new();
        Ok(Self {
            session,
            wish,
            registers,
            report: ImportReport::new(wish.rehearses),
            bundle: Bundle::of(pace.rows()),
            under_way: VecDeque::new(),
            pace,
            settled_at: Instant::now(),
            seen: begun_by_all(),
            due: Duration::ZERO,
        })
    }

    /// To the end of the file; or how far it came, and why not further.
    pub async fn run(mut self, body: &mut Pieces) -> std::result::Result<ImportReport, (Fault, ImportReport)> {
        let piece = Cell::new(self.pace.piece());
        // One batch of rows waits, so that there is always one to go on with.
        let (give, rows) = mpsc::channel(1);
        let reading = read(body, self.wish, &piece, give);
        let ((reader, read), stored) = future::join(reading, self.store(rows, &piece)).await;
        self.report.end(read.is_ok() && stored.is_ok(), reader.ignored());
        match stored.and(read) {
            Ok(()) => Ok(self.report),
            Err(fault) => Err((fault, self.report)),
        }
    }

    /// Also what was whole before a file breaks off; after a failing store nothing more is tried.
    async fn store(
        &mut self,
        mut rows: mpsc::Receiver<Vec<Prepared>>,
        piece: &Cell<usize>,
    ) -> std::result::Result<(), Fault> {
        while let Some(rows) = rows.recv().await {
            for row in rows {
                self.take(row).await?;
            }
            piece.set(self.pace.piece());
        }
        if self.bundle.len() > 0 {
            self.submit().await?;
        }
        while !self.under_way.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    async fn take(&mut self, Prepared { line, read }: Prepared) -> std::result::Result<(), Fault> {
        let mut wanted = match read {
            Ok(wanted) => wanted,
            Err(invalid) => {
                self.report.failed(line, invalid.into());
                return Ok(());
            }
        };
        match self.registers.resolve(&self.session, &wanted.named, &mut wanted.patch).await {
            Ok(()) => self.bundle.add(line, wanted),
            Err(error @ Error::Invalid(_)) => self.report.failed(line, error),
            Err(error) => return Err(error.into()),
        }
        if self.bundle.len() >= self.pace.rows() {
            self.submit().await?;
        }
        Ok(())
    }

    /// Hands the bundle over as soon as few enough are under way.
    async fn submit(&mut self) -> std::result::Result<(), Fault> {
        while self.under_way.len() >= self.pace.ahead() {
            self.settle().await?;
        }
        let mut bundle = std::mem::replace(&mut self.bundle, Bundle::of(self.pace.rows()));
        let mut edits = bundle.take_edits(now());
        for _ in 0..PATIENCE {
            match begin(&self.session, edits, self.wish.rehearses) {
                Ok(answer) => {
                    let answer = rt::spawn(answer.map(|told| (told, Instant::now())));
                    self.under_way.push_back(UnderWay { bundle, began: Instant::now(), answer });
                    return Ok(());
                }
                // Not taken, nothing done: others are many at the moment.
                Err(back) => edits = back,
            }
            rt::time::sleep(PAUSE).await;
        }
        Err(Error::Busy.into())
    }

    /// Waits for the oldest bundle, and rests where others are about.
    async fn settle(&mut self) -> std::result::Result<(), Fault> {
        let Some(UnderWay { bundle, began, answer }) = self.under_way.pop_front() else { return Ok(()) };
        let rows = bundle.len();
        let (settled, at) = answer.await.map_err(Error::internal)?;
        bundle.tell(settled?.outcomes, &mut self.report);
        // One that came early has waited for the one before it.
        let took = at.saturating_duration_since(began.max(self.settled_at));
        let (begun, before) = (begun_by_all(), self.seen);
        (self.settled_at, self.seen) = (at, begun);
        self.due += self.pace.learn(rows, took, begun - before);
        if self.due >= TICK {
            let due = std::mem::take(&mut self.due);
            rt::time::sleep(due).await;
        }
        Ok(())
    }
}

fn begin(
    session: &Session,
    edits: Vec<Edit>,
    rehearses: bool,
) -> std::result::Result<impl Future<Output = Result<Settled>> + use<>, Vec<Edit>> {
    Ok(if rehearses {
        Either::Left(session.begin_rehearsal(edits)?)
    } else {
        Either::Right(session.begin_many(edits, false)?)
    })
}

/// To the end of the file, or until nobody takes rows any more.
async fn read(
    body: &mut Pieces,
    wish: Wish,
    piece: &Cell<usize>,
    give: mpsc::Sender<Vec<Prepared>>,
) -> (Reader, std::result::Result<(), Fault>) {
    let mut reader = Reader::new(wish.format, wish.empty);
    loop {
        let (pieces, end) = tokio::select! {
            biased;
            () = give.closed() => return (reader, Ok(())),
            gathered = gather(body, piece.get()) => gathered,
        };
        let is_over = matches!(end, Gathered::All);
        let parsed = web::block(move || parse(reader, &pieces, is_over)).await;
        let (used, rows, refused) = match parsed {
            Ok(parsed) => parsed,
            // The reader went down with it.
            Err(error) => return (Reader::new(wish.format, wish.empty), Err(Error::internal(error).into())),
        };
        reader = used;
        if give.send(rows).await.is_err() {
            return (reader, Ok(()));
        }
        match (refused, end) {
            (Err(invalid), _) => return (reader, Err(invalid.into())),
            (Ok(()), Gathered::Some) => {}
            (Ok(()), Gathered::All) => return (reader, Ok(())),
            (Ok(()), Gathered::Broken(fault)) => return (reader, Err(fault)),
        }
    }
}

enum Gathered {
    Some,
    All,
    Broken(Fault),
}

/// A good deal of the body, so that it is worth the way to another thread.
async fn gather(body: &mut Pieces, enough: usize) -> (Vec<Bytes>, Gathered) {
    let (mut pieces, mut length) = (Vec::new(), 0);
    loop {
        match body.next().await {
            Ok(Some(piece)) => {
                length += piece.len();
                pieces.push(piece);
                if length >= enough {
                    return (pieces, Gathered::Some);
                }
            }
            Ok(None) => return (pieces, Gathered::All),
            Err(fault) => return (pieces, Gathered::Broken(fault)),
        }
    }
}

type Parsed = (Reader, Vec<Prepared>, std::result::Result<(), Invalid>);

fn parse(mut reader: Reader, pieces: &[Bytes], is_over: bool) -> Parsed {
    let mut rows = Vec::new();
    let mut read = pieces.iter().try_for_each(|piece| reader.feed(piece, &mut rows));
    if read.is_ok() && is_over {
        read = reader.end(&mut rows);
    }
    (reader, rows.into_iter().map(prepare).collect(), read)
}
