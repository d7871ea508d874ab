//! The walk through a file as it arrives: so many bytes are read and turned into rows off the thread that speaks HTTP,
//! while the session works on the rows before them. The next bytes are taken when those rows are answered, so nothing
//! piles up, however fast they come; and between two bundles the session serves everybody else.

use std::time::{Duration, Instant};

use actix_web::{
    rt,
    web::{self, Bytes},
};

use super::{
    bundle::{Bundle, Prepared, prepare},
    registers::Registers,
    report::ImportReport,
};
use crate::{
    domain::{Edit, Error, Invalid, Outcome, Result},
    http::{
        room::{Fault, Pieces},
        time::now,
    },
    port::{Empty, Format, Reader},
    session::Session,
};

/// What is read of the body before it is looked at.
const GATHERED: usize = 128 * 1024;

/// Rows in a bundle: as many as the session works through in about this time, so that nobody waits much longer for their
/// own small write.
const LEAST: usize = 128;
const MOST: usize = 1000;
const AIM: Duration = Duration::from_millis(5);

/// A session whose mailbox is full is asked again this often, and after this pause.
const PATIENCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

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
    size: usize,
    under_way: Option<(Bundle, rt::task::JoinHandle<Result<Settled>>)>,
}

struct Settled {
    outcomes: Vec<Result<Outcome>>,
    took: Duration,
}

impl Import {
    pub async fn begin(session: Session, wish: Wish) -> Result<Self> {
        let registers = Registers::of(&session, wish.creates, wish.rehearses).await?;
        let (report, bundle) = (ImportReport::new(wish.rehearses), Bundle::default());
        Ok(Self { session, wish, registers, report, bundle, size: LEAST, under_way: None })
    }

    /// To the end of the file; or how far it came, and why not further.
    pub async fn run(mut self, body: &mut Pieces) -> std::result::Result<ImportReport, (Fault, ImportReport)> {
        let mut reader = Reader::new(self.wish.format, self.wish.empty);
        let mut walked = self.walk(&mut reader, body).await;
        // What was whole before the file broke off is stored; after a failing store nothing more is tried.
        if !matches!(walked, Err(Stop::Store(_))) {
            let rest = self.submit_rest().await.map_err(Stop::Store);
            walked = walked.and(rest);
        }
        self.report.end(walked.is_ok(), reader.ignored());
        match walked {
            Ok(()) => Ok(self.report),
            Err(Stop::Store(fault) | Stop::File(fault)) => Err((fault, self.report)),
        }
    }

    async fn walk(&mut self, reader: &mut Reader, body: &mut Pieces) -> std::result::Result<(), Stop> {
        loop {
            let (pieces, end) = gather(body).await;
            let is_over = matches!(end, Gathered::All);
            let taken = std::mem::replace(reader, Reader::new(self.wish.format, self.wish.empty));
            let parsed = web::block(move || parse(taken, &pieces, is_over)).await;
            let (used, rows, refused) = parsed.map_err(|error| Stop::File(Error::internal(error).into()))?;
            *reader = used;
            for row in rows {
                self.take(row).await.map_err(Stop::Store)?;
            }
            if let Err(invalid) = refused {
                return Err(Stop::File(invalid.into()));
            }
            match end {
                Gathered::Some => {}
                Gathered::All => return Ok(()),
                Gathered::Broken(fault) => return Err(Stop::File(fault)),
            }
        }
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
            Ok(()) => self.bundle.add(line, wanted, now()),
            Err(error @ Error::Invalid(_)) => self.report.failed(line, error),
            Err(error) => return Err(error.into()),
        }
        if self.bundle.len() >= self.size {
            self.submit().await?;
        }
        Ok(())
    }

    /// Hands the bundle over when the one before it is answered.
    async fn submit(&mut self) -> std::result::Result<(), Fault> {
        self.settle().await?;
        let mut bundle = std::mem::take(&mut self.bundle);
        let (session, edits, rehearses) = (self.session.clone(), bundle.take_edits(), self.wish.rehearses);
        self.under_way = Some((bundle, rt::spawn(carry_out(session, edits, rehearses))));
        Ok(())
    }

    async fn submit_rest(&mut self) -> std::result::Result<(), Fault> {
        if self.bundle.len() > 0 {
            self.submit().await?;
        }
        self.settle().await
    }

    async fn settle(&mut self) -> std::result::Result<(), Fault> {
        let Some((bundle, answer)) = self.under_way.take() else { return Ok(()) };
        let rows = bundle.len();
        let Settled { outcomes, took } = answer.await.map_err(Error::internal)??;
        bundle.tell(outcomes, &mut self.report);
        let fitting = rows as f64 * AIM.as_secs_f64() / took.as_secs_f64().max(1e-6);
        // Half way there: one slow commit is not yet a slow disk.
        self.size = ((self.size + fitting as usize) / 2).clamp(LEAST, MOST);
        Ok(())
    }
}

/// Why the walk ended early.
enum Stop {
    File(Fault),
    Store(Fault),
}

enum Gathered {
    Some,
    All,
    Broken(Fault),
}

/// A good deal of the body, so that it is worth the way to another thread.
async fn gather(body: &mut Pieces) -> (Vec<Bytes>, Gathered) {
    let (mut pieces, mut length) = (Vec::new(), 0);
    loop {
        match body.next().await {
            Ok(Some(piece)) => {
                length += piece.len();
                pieces.push(piece);
                if length >= GATHERED {
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

async fn carry_out(session: Session, edits: Vec<Edit>, rehearses: bool) -> Result<Settled> {
    for _ in 0..PATIENCE {
        let began = Instant::now();
        let edits = edits.clone();
        let told = if rehearses {
            session.rehearse(edits).await
        } else {
            session.edit_many(edits, false).await.map(|settled| settled.outcomes)
        };
        match told {
            // Not taken, nothing done: others are many at the moment.
            Err(Error::Busy) => rt::time::sleep(PAUSE).await,
            told => return told.map(|outcomes| Settled { outcomes, took: began.elapsed() }),
        }
    }
    Err(Error::Busy)
}
