//! The journal by itself: what it says is there is there, what is torn is not, and nobody waits for ever.

use std::sync::mpsc;

use super::*;

fn begun(folder: &Path) -> (Arc<Journal>, mpsc::Receiver<Full>) {
    let (sender, fulls) = mpsc::channel();
    (Journal::begin(folder, move |full| drop(sender.send(full))).unwrap(), fulls)
}

fn write(journal: &Journal, book: &str, record: &[u8]) -> mpsc::Receiver<bool> {
    let (sender, told) = mpsc::channel();
    journal.write(&book.into(), record.to_vec(), Box::new(move |kept| sender.send(kept).unwrap_or_default()));
    told
}

fn entry(book: &str, record: &[u8]) -> Entry {
    Entry { book: book.to_owned(), record: record.to_vec() }
}

#[test]
fn what_was_told_is_read_back_in_its_order_and_a_second_run_goes_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    for run in 0..2_u8 {
        let (journal, _fulls) = begun(folder.path());
        let told: Vec<_> = (0..10).map(|n| write(&journal, "shop", &[run, n])).collect();
        assert!(told.into_iter().all(|told| told.recv().unwrap()));
        journal.end();
        assert!(!write(&journal, "shop", b"too late").recv().unwrap());
    }
    let expected: Vec<_> = (0..2).flat_map(|run| (0..10).map(move |n| entry("shop", &[run, n]))).collect();
    assert_eq!(Journal::left_behind(folder.path()).unwrap(), expected);
    Journal::clear(folder.path()).unwrap();
    assert_eq!(Journal::left_behind(folder.path()).unwrap(), []);
}

#[test]
fn a_torn_end_is_passed_over_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _fulls) = begun(folder.path());
    let told: Vec<_> = [b"one".as_slice(), b"two"].into_iter().map(|record| write(&journal, "shop", record)).collect();
    told.iter().for_each(|told| assert!(told.recv().unwrap()));
    journal.end();
    let (number, path) = segment::all(folder.path()).unwrap().remove(0);
    let mut whole = fs::read(&path).unwrap();
    // What it has grown by is zeros.
    whole.truncate(2 * (8 + 1 + 4 + 3));
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let read = segment::read(number, &path).unwrap();
        assert_eq!(read.len(), usize::from(length >= whole.len() / 2), "cut at {length}");
        let mut flipped = whole.clone();
        flipped[length] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert!(segment::read(number, &path).unwrap().len() < 2, "flipped at {length}");
    }
    // A file that was another before: its frames are not taken for this one's.
    fs::write(&path, &whole).unwrap();
    assert_eq!(segment::read(number + 1, &path).unwrap(), []);
}

#[test]
fn a_full_file_is_handed_over_with_the_books_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, fulls) = begun(folder.path());
    assert!(write(&journal, "shop", &[1; 3000]).recv().unwrap());
    assert!(fulls.try_recv().is_err());
    assert!(write(&journal, "club", &[2; 3000]).recv().unwrap());
    let full = fulls.recv().unwrap();
    assert_eq!(full.books, HashSet::from(["shop".into(), "club".into()]));
    assert!(write(&journal, "shop", b"in the next").recv().unwrap());
    full.put_away().unwrap();
    journal.end();
    assert_eq!(Journal::left_behind(folder.path()).unwrap(), [entry("shop", b"in the next")]);
}

#[test]
fn a_journal_that_cannot_be_written_says_so_and_goes_on_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, fulls) = begun(folder.path());
    // A folder where the file is to be: not even root can write to it.
    fs::create_dir(folder.path().join("gateway.journal-0000000001")).unwrap();
    assert!(!write(&journal, "shop", b"lost").recv().unwrap());
    assert!(!journal.is_usable());
    assert!(write(&journal, "shop", b"kept").recv().unwrap());
    assert!(journal.is_usable());
    assert!(fulls.try_recv().is_err());
    journal.end();
    fs::remove_dir(folder.path().join("gateway.journal-0000000001")).unwrap();
    assert_eq!(Journal::left_behind(folder.path()).unwrap(), [entry("shop", b"kept")]);
}

#[test]
fn many_at_once_share_syncs_and_each_is_told_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _fulls) = begun(folder.path());
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..1000_u32 {
        let order = Arc::clone(&order);
        journal.write(
            &"shop".into(),
            number.to_le_bytes().to_vec(),
            Box::new(move |kept| {
                assert!(kept);
                held(&order).push(number);
            }),
        );
    }
    journal.end();
    assert_eq!(*held(&order), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_used_again_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, fulls) = begun(folder.path());
    for round in 0..5_u8 {
        for record in 0..3 {
            assert!(write(&journal, "shop", &[round * 3 + record; 1500]).recv().unwrap());
        }
        let full = fulls.recv().unwrap();
        assert!(full.path.exists());
        full.put_away().unwrap();
        assert!(segment::spare(folder.path()).exists());
    }
    assert!(write(&journal, "shop", b"last").recv().unwrap());
    journal.end();
    assert!(!segment::spare(folder.path()).exists(), "it is in use again");
    assert_eq!(Journal::left_behind(folder.path()).unwrap(), [entry("shop", b"last")]);
}

#[test]
fn whoever_waits_for_a_journal_that_went_down_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::begin(folder.path(), |_| panic!("as a test has planned")).unwrap();
    // More than a file holds: then somebody is told of the full one, and the writer is gone.
    let told: Vec<_> = (0..4).map(|_| write(&journal, "shop", &[7; 3000])).collect();
    for told in told {
        told.recv().expect("everybody is told something");
    }
    while write(&journal, "shop", b"after").recv().expect("everybody is told something") {}
    journal.end();
}
