//! A file of the journal: frames one after another, each with a sum of its own. Leaves out when they are written.
//!
//! A frame: four bytes with the length of its content, four with the CRC-32 of the file's number and the content (all
//! little-endian), the content: one byte with the length of the book's name, the name, the record.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::Entry;

const PREFIX: &str = "gateway.journal-";

pub(super) struct Segment {
    file: File,
    pub(super) path: PathBuf,
    number: u64,
    length: u64,
    /// How long the file is already.
    room: u64,
}

/// The file grows by so much at a time, and is used again when it is full: a sync within what is there already need not
/// wait for the file system's own notes.
const STEP: u64 = if cfg!(test) { 1024 } else { 1 << 20 };
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Segment {
    /// A new file, which the folder is sure to name from now on; the spare one, if there is one.
    pub(super) fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(format!("{PREFIX}{number:010}"));
        // What stands in the spare one was written under another number, and counts for nothing under this.
        let is_spare = !path.exists() && fs::rename(spare(folder), &path).is_ok();
        let file = OpenOptions::new().write(true).create_new(!is_spare).mode(0o600).open(&path)?;
        let room = file.metadata()?.len();
        File::open(folder)?.sync_all()?;
        Ok(Self { file, path, number, length: 0, room })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The frames are on disk when this returns `Ok`. After an error the file is not to be written to again: it may end
    /// in half a frame.
    pub(super) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        let end = self.length + frames.len() as u64;
        while self.room < end {
            self.grow()?;
        }
        self.file.write_all_at(frames, self.length)?;
        self.file.sync_data()?;
        self.length = end;
        Ok(())
    }

    fn grow(&mut self) -> io::Result<()> {
        let end = self.room + STEP;
        while self.room < end {
            let piece = ZEROS.len().min((end - self.room) as usize);
            self.file.write_all_at(&ZEROS[..piece], self.room)?;
            self.room += piece as u64;
        }
        Ok(())
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// Where a file waits that is no longer needed.
pub(super) fn spare(folder: &Path) -> PathBuf {
    folder.join("gateway.journal-spare")
}

/// The files that are there, in the order in which they were begun.
pub(super) fn all(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// Everything up to the first frame that is not whole: what comes after it was never said to be on disk.
pub(super) fn read(number: u64, path: &Path) -> io::Result<Vec<Entry>> {
    let bytes = fs::read(path)?;
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    while let Some((entry, after)) = next(number, rest) {
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

fn next(number: u64, bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if summed(number, content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (name, content) = content.split_first()?;
    let (book, record) = content.split_at_checked(usize::from(*name))?;
    Some((Entry { book: std::str::from_utf8(book).ok()?.to_owned(), record: record.to_vec() }, rest))
}

/// Appends a frame. `None` as the number: the sum is put in when it is known which file it goes to.
pub(super) fn frame(into: &mut Vec<u8>, number: u64, book: &str, record: &[u8]) {
    let begin = into.len();
    into.extend([0; 8]);
    into.push(u8::try_from(book.len()).expect("an instance id is short"));
    into.extend(book.as_bytes());
    into.extend(record);
    let length = u32::try_from(into.len() - begin - 8).expect("a record is short");
    let sum = summed(number, &into[begin + 8..]);
    into[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    into[begin + 4..begin + 8].copy_from_slice(&sum.to_le_bytes());
}

fn summed(number: u64, content: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(content);
    sum.finalize()
}
