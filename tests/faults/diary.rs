//! The shim's diary, and what a power cut at some place in it may leave: all that was synced, and of the rest whatever
//! chance keeps, torn at sectors. Of what happened in one folder (made, renamed, removed) but was not synced a beginning
//! stays, as journaling file systems have it; nothing says that syncing a file syncs the folder it is in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use crate::dice::Dice;

const HEAD: usize = 21;
const SECTOR: usize = 512;

/// The client's own record: what it was answered.
const ANSWERED: u8 = b'A';

pub struct Record {
    kind: u8,
    path: String,
    offset: u64,
    pub data: Vec<u8>,
    /// Where it stands in the diary.
    at: u64,
}

impl Record {
    /// What a client was answered at this place.
    pub fn answer(&self) -> Option<&str> {
        (self.kind == ANSWERED).then(|| std::str::from_utf8(&self.data).unwrap())
    }
}

/// Which syncs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    Honest,
    /// Neither the journal nor a book's log is ever synced, as with `synchronous=NORMAL` alone.
    WithoutLogSyncs,
}

/// A client's hand in the diary.
pub struct Witness(File);

impl Witness {
    pub fn of(diary: &Path) -> Self {
        Self(File::options().append(true).open(diary).unwrap())
    }

    /// Between the answer's arrival and this line nothing of that client's happens.
    pub fn was_answered(&self, what: &str) {
        let mut record = vec![ANSWERED];
        record.extend(0u32.to_ne_bytes());
        record.extend(0u64.to_ne_bytes());
        record.extend((what.len() as u64).to_ne_bytes());
        record.extend(what.as_bytes());
        // One write: records of others stand before or after it.
        assert_eq!((&self.0).write(&record).unwrap(), record.len());
    }
}

pub fn read(diary: &Path) -> Vec<Record> {
    let bytes = fs::read(diary).unwrap();
    let (mut records, mut at) = (Vec::new(), 0);
    while bytes.len() >= at + HEAD {
        let number = |from: usize| u64::from_ne_bytes(bytes[at + from..at + from + 8].try_into().unwrap());
        let name = u32::from_ne_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        let length = usize::try_from(number(13)).unwrap();
        let from = at + HEAD;
        if bytes.len() < from + name + length {
            break;
        }
        records.push(Record {
            kind: bytes[at],
            path: String::from_utf8(bytes[from..from + name].to_vec()).unwrap(),
            offset: number(5),
            data: bytes[from + name..from + name + length].to_vec(),
            at: at as u64,
        });
        at = from + name + length;
    }
    records
}

/// One file's bytes, whatever it is called.
#[derive(Default)]
struct Inode<'diary> {
    synced: Vec<u8>,
    pending: Vec<&'diary Record>,
}

enum Naming {
    File(String, usize),
    Folder(String),
    Renamed(String, String),
    Gone(String),
}

#[derive(Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
}

impl Names {
    fn carry_out(&mut self, naming: &Naming) {
        match naming {
            Naming::File(path, inode) => drop(self.files.insert(path.clone(), *inode)),
            Naming::Folder(path) => drop(self.folders.insert(path.clone())),
            Naming::Gone(path) => drop(self.files.remove(path)),
            Naming::Renamed(from, to) => {
                if let Some(inode) = self.files.remove(from) {
                    self.files.insert(to.clone(), inode);
                }
            }
        }
    }
}

/// Writes into `target` what a power cut after these records may leave of `root`.
pub fn rebuild(records: &[Record], root: &str, target: &Path, disk: Disk, dice: &mut Dice) {
    let (mut now, mut durable) = (Names::default(), Names::default());
    let mut inodes: Vec<Inode> = Vec::new();
    let mut pending: BTreeMap<&str, Vec<(u64, Naming)>> = BTreeMap::new();
    for record in records {
        let path = &record.path;
        let naming = match record.kind {
            b'C' => {
                inodes.push(Inode::default());
                Naming::File(path.clone(), inodes.len() - 1)
            }
            b'M' => Naming::Folder(path.clone()),
            b'R' => Naming::Renamed(path.clone(), String::from_utf8(record.data.clone()).unwrap()),
            b'U' => Naming::Gone(path.clone()),
            b'W' | b'T' => {
                // A file that was removed while open is nobody's any more.
                if let Some(inode) = now.files.get(path) {
                    inodes[*inode].pending.push(record);
                }
                continue;
            }
            b'S' => {
                let is_log = path.ends_with("-wal") || path.contains("gateway.journal-");
                if let Some(inode) = now.files.get(path).filter(|_| !(is_log && disk == Disk::WithoutLogSyncs)) {
                    let Inode { synced, pending } = &mut inodes[*inode];
                    let covered = pending.iter().position(|earlier| earlier.at >= record.offset);
                    for earlier in pending.drain(..covered.unwrap_or(pending.len())) {
                        put(synced, earlier, 0, earlier.data.len());
                    }
                } else if let Some(named) = pending.get_mut(path.as_str()) {
                    let covered = named.iter().position(|(at, _)| *at >= record.offset).unwrap_or(named.len());
                    named.drain(..covered).for_each(|(_, naming)| durable.carry_out(&naming));
                }
                continue;
            }
            _ => continue,
        };
        now.carry_out(&naming);
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        pending.entry(parent).or_default().push((record.at, naming));
    }
    for named in pending.values() {
        let kept = dice.below(named.len() + 1);
        named[..kept].iter().for_each(|(_, naming)| durable.carry_out(naming));
    }

    fs::create_dir_all(target).unwrap();
    for folder in &durable.folders {
        if let Some(inside) = folder.strip_prefix(root).map(|inside| inside.trim_start_matches('/')) {
            fs::create_dir_all(target.join(inside)).unwrap();
        }
    }
    for (path, inode) in &durable.files {
        let place = target.join(path.strip_prefix(root).unwrap().trim_start_matches('/'));
        // A file in a folder that is lost is lost with it.
        if place.parent().unwrap().exists() {
            fs::write(place, after_the_cut(&inodes[*inode], dice)).unwrap();
        }
    }
}

/// What was synced, and some of the rest: nothing, everything, or by chance, whole or torn.
fn after_the_cut(inode: &Inode, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = inode.synced.clone();
    let mood = dice.below(4);
    for record in &inode.pending {
        match if mood < 2 { mood } else { dice.below(3) } {
            0 => {}
            1 => put(&mut bytes, record, 0, record.data.len()),
            _ if record.kind == b'T' => {}
            _ => {
                for from in (0..record.data.len()).step_by(SECTOR).filter(|_| dice.below(2) == 0) {
                    put(&mut bytes, record, from, (from + SECTOR).min(record.data.len()));
                }
            }
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, record: &Record, from: usize, to: usize) {
    let offset = usize::try_from(record.offset).unwrap();
    if record.kind == b'T' {
        return bytes.resize(offset, 0);
    }
    if bytes.len() < offset + to {
        bytes.resize(offset + to, 0);
    }
    bytes[offset + from..offset + to].copy_from_slice(&record.data[from..to]);
}
