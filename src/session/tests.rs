//! The actor's promises: one commit for many edits, an answer for everyone whatever fails, reads beside writes, a
//! mailbox that never grows beyond its bound, an orderly end.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::{
    book::{self, Book},
    domain::{Change, Field, Moment, NamePart, Patch, SavedPatch, Source},
};

struct Stage {
    folder: TempDir,
    session: Session,
    open_books: Arc<OpenBooks>,
}

fn stage(mailbox: usize) -> Stage {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("demo");
    std::fs::create_dir(&home).unwrap();
    Book::create(&home).unwrap().close().unwrap();
    let open_books = Arc::new(OpenBooks::default());
    let setting = Setting {
        runtime: Handle::current(),
        mailbox,
        long_reads: 2,
        open_books: Arc::clone(&open_books),
        quota: Quota::default(),
        journal: None,
    };
    Stage { session: Session::new("demo".parse().unwrap(), home, setting), folder, open_books }
}

fn chat(text: &str) -> ChatId {
    text.parse().unwrap()
}

fn named(who: usize, first: &str) -> Edit {
    let first = Field::from(NamePart::parse(first, "name").unwrap());
    let saved = SavedPatch::Parts { first, last: Field::Keep };
    let who: ChatId = format!("{who}").parse().unwrap();
    Edit::save(who, Patch { saved, ..Patch::default() }, Moment::from_millis(1), Source::known("test"))
}

fn shown(contact: Option<Contact>) -> String {
    contact.map_or_else(|| "nobody".into(), |contact| contact.display())
}

/// Holds the desk, as a slow disk would, until it is dropped.
fn slow_disk(session: &Session) -> (std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (tell, is_held) = std::sync::mpsc::channel();
    let actor = Arc::clone(&session.actor);
    let holder = std::thread::spawn(move || {
        actor.while_holding_the_desk(|| {
            tell.send(()).unwrap();
            let _ = held.recv();
        });
    });
    is_held.recv().unwrap();
    (release, holder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_reads_back() {
    let stage = stage(256);
    assert_eq!(stage.session.edit(named(111, "Bob")).await.unwrap().change, Change::Created);
    assert_eq!(stage.session.edit(named(111, "Bob")).await.unwrap().change, Change::Unchanged);
    assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Bob");
    assert_eq!(shown(stage.session.get(chat("222")).await.unwrap()), "nobody");
    assert_eq!(stage.session.head().await.unwrap().contacts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_wait_become_one_commit() {
    let stage = stage(256);
    let (release, holder) = slow_disk(&stage.session);
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let session = stage.session.clone();
            tokio::spawn(async move { session.edit(named(1000 + n, "Bob")).await })
        })
        .collect();
    until(|| stage.session.actor.letters() == 200).await;
    drop(release);
    holder.join().unwrap();
    for edit in waiting {
        edit.await.unwrap().unwrap();
    }
    assert_eq!(stage.session.actor.batches(), 1, "200 edits, one batch, one commit");
    assert_eq!(stage.session.head().await.unwrap().contacts, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_is_busy_and_what_was_taken_is_done() {
    let stage = stage(3);
    let (release, holder) = slow_disk(&stage.session);
    let taken: Vec<_> = (0..3)
        .map(|n| {
            let session = stage.session.clone();
            tokio::spawn(async move { session.edit(named(1000 + n, "Bob")).await })
        })
        .collect();
    until(|| stage.session.actor.letters() == 3).await;
    assert!(matches!(stage.session.edit(named(2000, "Eve")).await, Err(Error::Busy)));
    drop(release);
    holder.join().unwrap();
    for edit in taken {
        edit.await.unwrap().unwrap();
    }
    assert_eq!(stage.session.edit(named(2000, "Eve")).await.unwrap().change, Change::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_begun_is_done_in_order_while_nobody_waits_and_what_is_not_taken_comes_back() {
    let stage = stage(2);
    let (release, holder) = slow_disk(&stage.session);
    let begin = |name| stage.session.begin_many(vec![named(111, name)], false);
    let first = begin("Bob").unwrap();
    let second = begin("Eve").unwrap();
    let Err(back) = begin("Ann") else { panic!("it was full") };
    assert_eq!(back, [named(111, "Ann")]);
    let Err(back) = stage.session.begin_rehearsal(back) else { panic!("it was full") };
    assert_eq!(back.len(), 1);
    drop(release);
    holder.join().unwrap();
    // The one that came later is asked first.
    let change = |settled: Settled| settled.outcomes[0].as_ref().unwrap().change;
    assert_eq!(change(second.await.unwrap()), Change::Updated);
    assert_eq!(change(first.await.unwrap()), Change::Created);
    let rehearsed = stage.session.begin_rehearsal(back).unwrap().await.unwrap();
    assert!(!rehearsed.stored && rehearsed.outcomes.len() == 2);
    assert_eq!(change(rehearsed), Change::Updated);
    let name = stage.session.get(named(111, "").who).await.unwrap().unwrap().names.saved.full();
    assert_eq!(name.as_deref(), Some("Eve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_wait_for_the_writer() {
    let stage = stage(256);
    stage.session.edit(named(111, "Bob")).await.unwrap();
    stage.session.get(chat("111")).await.unwrap();
    let (release, holder) = slow_disk(&stage.session);
    let waiting = {
        let session = stage.session.clone();
        tokio::spawn(async move { session.edit(named(111, "Rob")).await })
    };
    until(|| stage.session.actor.letters() == 1).await;
    assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Bob");
    drop(release);
    holder.join().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Rob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_is_hardly_read_has_one_door_until_somebody_writes() {
    let stage = stage(256);
    let readers = || stage.session.actor.readers();
    for _ in 0..3 {
        assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "nobody");
        assert_eq!(readers(), 0);
    }
    stage.session.edit(named(111, "Bob")).await.unwrap();
    assert_eq!(readers(), 1, "who has read does not wait for the writer");
    stage.session.rest().await;
    for _ in 0..5 {
        assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Bob");
    }
    assert_eq!(readers(), 1, "it is read after all");
    stage.session.rest().await;
    assert_eq!(readers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_contact_looks_it_up_at_once_where_nothing_has_to_be_opened() {
    let stage = stage(256);
    let (session, who) = (&stage.session, Who::from(chat("111")));
    let at_once = || session.actor.look_at_once(&who).map(shown);
    assert_eq!(at_once(), None, "the book is closed");
    session.get(who).await.unwrap();
    session.edit(named(111, "Bob")).await.unwrap();
    assert_eq!(at_once().as_deref(), Some("Bob"));
    let (release, holder) = slow_disk(session);
    assert_eq!(at_once().as_deref(), Some("Bob"), "whatever the writer does");
    drop(release);
    holder.join().unwrap();
    session.rest().await;
    assert_eq!(at_once(), None);
    assert_eq!(shown(session.get(who).await.unwrap()), "Bob");
    session.finish().await;
    assert!(matches!(session.get(who).await, Err(Error::Busy)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_answers_everyone_and_the_next_batch_finds_an_open_book() {
    let stage = stage(256);
    stage.session.edit(named(111, "Bob")).await.unwrap();
    *stage.session.actor.fault.lock().unwrap() = Some(|| panic!("planned by the test"));
    let (release, holder) = slow_disk(&stage.session);
    let waiting: Vec<_> = (0..5)
        .map(|n| {
            let session = stage.session.clone();
            tokio::spawn(async move { session.edit(named(1000 + n, "Eve")).await })
        })
        .collect();
    until(|| stage.session.actor.letters() == 5).await;
    drop(release);
    holder.join().unwrap();
    for edit in waiting {
        assert!(matches!(edit.await.unwrap(), Err(Error::Internal(_))));
    }
    assert_eq!(stage.session.head().await.unwrap().contacts, 1, "nothing of the batch was stored");
    assert_eq!(stage.session.edit(named(111, "Rob")).await.unwrap().change, Change::Updated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_book_is_set_aside_whole_and_comes_back_when_it_is_put_back() {
    let stage = stage(256);
    stage.session.edit(named(111, "Bob")).await.unwrap();
    stage.session.rest().await;
    let home = stage.folder.path().join("demo");
    let good = std::fs::read(home.join(book::FILE)).unwrap();
    std::fs::write(home.join(book::FILE), vec![0x55; good.len()]).unwrap();

    assert!(matches!(stage.session.edit(named(111, "Rob")).await, Err(Error::Quarantined)));
    assert!(matches!(stage.session.get(chat("111")).await, Err(Error::Quarantined)));
    let aside: Vec<_> = std::fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(aside.len(), 1, "no new folder, no second one set aside");
    assert!(aside[0].file_name().to_string_lossy().starts_with("demo.damaged-"));
    assert_eq!(std::fs::read(aside[0].path().join(book::FILE)).unwrap().len(), good.len());
    assert_eq!(stage.open_books.count(), 0);

    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join(book::FILE), good).unwrap();
    assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_cannot_be_written_is_told_and_nothing_is_lost() {
    // Root may write anywhere, so the book is made unwritable by its own means.
    let stage = stage(256);
    stage.session.edit(named(111, "Bob")).await.unwrap();
    stage.session.rest().await;
    let file = stage.folder.path().join("demo").join(book::FILE);
    let direct = rusqlite::Connection::open(&file).unwrap();
    direct.execute_batch("CREATE TRIGGER no BEFORE INSERT ON contact BEGIN SELECT raise(ABORT, 'no'); END").unwrap();
    drop(direct);
    assert!(matches!(stage.session.edit(named(222, "Eve")).await, Err(Error::Internal(_))));
    assert_eq!(stage.session.head().await.unwrap().contacts, 1);
    let direct = rusqlite::Connection::open(&file).unwrap();
    direct.execute_batch("DROP TRIGGER no").unwrap();
    drop(direct);
    assert_eq!(stage.session.edit(named(222, "Eve")).await.unwrap().change, Change::Created);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resting_session_has_no_files_open_and_wakes_by_itself() {
    let stage = stage(256);
    assert_eq!(stage.session.last_used(), None);
    stage.session.edit(named(111, "Bob")).await.unwrap();
    stage.session.get(chat("111")).await.unwrap();
    assert!(stage.session.last_used().is_some());
    assert_eq!(stage.open_books.count(), 1);
    stage.session.rest().await;
    assert_eq!((stage.session.last_used(), stage.open_books.count()), (None, 0));
    assert!(!stage.folder.path().join("demo/book.db-wal").exists());
    assert_eq!(shown(stage.session.get(chat("111")).await.unwrap()), "Bob");
    assert_eq!(stage.open_books.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_answers_what_was_accepted_and_takes_no_more() {
    let stage = stage(256);
    let (release, holder) = slow_disk(&stage.session);
    let accepted: Vec<_> = (0..50)
        .map(|n| {
            let session = stage.session.clone();
            tokio::spawn(async move { session.edit(named(1000 + n, "Bob")).await })
        })
        .collect();
    until(|| stage.session.actor.letters() == 50).await;
    let finishing = {
        let session = stage.session.clone();
        tokio::spawn(async move { session.finish().await })
    };
    until(|| stage.session.actor.is_closed()).await;
    assert!(matches!(stage.session.edit(named(2000, "Eve")).await, Err(Error::Busy)));
    drop(release);
    holder.join().unwrap();
    finishing.await.unwrap();
    for edit in accepted {
        edit.await.unwrap().unwrap();
    }
    assert_eq!(stage.open_books.count(), 0);
    assert_eq!(Book::open(&stage.folder.path().join("demo")).unwrap().head().contacts, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_does_not_undo_the_edit() {
    let stage = stage(256);
    let (release, holder) = slow_disk(&stage.session);
    let gone = {
        let session = stage.session.clone();
        tokio::spawn(async move { session.edit(named(111, "Bob")).await })
    };
    until(|| stage.session.actor.letters() == 1).await;
    gone.abort();
    drop(release);
    holder.join().unwrap();
    stage.session.edit(named(222, "Eve")).await.unwrap();
    assert_eq!(stage.session.head().await.unwrap().contacts, 2);
}

/// Waits for what other threads bring about; a test that hangs here has failed.
async fn until(is_so: impl Fn() -> bool) {
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !is_so() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it comes about");
}
