//! The folder of all sessions: what lies where in it, the lock that keeps a second process out, and the note by which
//! commands on the same machine find the running server.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    book::{FILE, connection::sync_folder},
    domain::InstanceId,
    gateway::secrets,
};

#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// Where a running server listens, and the key that it takes from this machine for this run.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct RunNote {
    pub address: String,
    pub key: String,
    pub process: u32,
}

impl Folder {
    /// The folder at this path, made if need be, for its owner only.
    pub fn make(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the sessions folder {} cannot be made", path.display()))?;
        let path = path.canonicalize()?;
        if let Some(parent) = path.parent() {
            // Ours may be new in it. Whoever may not read the parent has made the folder before.
            let _ = sync_folder(parent);
        }
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn of(&self, id: &InstanceId) -> PathBuf {
        self.0.join(id.as_str())
    }

    /// Whether any instance has an address book here.
    pub(super) fn has_books(&self) -> bool {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.path().join(FILE).exists())
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join("gateway.db")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.0.join("gateway.key")
    }

    pub(super) fn admin_token(&self) -> PathBuf {
        self.0.join("admin.token")
    }

    fn run_note(&self) -> PathBuf {
        self.0.join("gateway.run")
    }

    /// Held as long as the file lives; the system drops it with the process, however that ends.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        let path = self.0.join("gateway.lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if file.try_lock().is_err() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
            anyhow::bail!("{} is in use by {holder}: one wabook per sessions folder", self.0.display());
        }
        file.set_len(0)?;
        write!(file, "process {}", std::process::id())?;
        Ok(file)
    }

    pub fn leave_note(&self, note: &RunNote) -> anyhow::Result<()> {
        secrets::write(&self.run_note(), &serde_json::to_string(note)?).context("the run note cannot be written")
    }

    pub fn remove_note(&self) {
        let _ = fs::remove_file(self.run_note());
    }

    /// The note of a running server. One left behind by a killed server counts as none: its lock is free.
    pub fn note(&self) -> Option<RunNote> {
        let lock = OpenOptions::new().read(true).open(self.0.join("gateway.lock")).ok()?;
        if lock.try_lock_shared().is_ok() {
            return None;
        }
        serde_json::from_str(&fs::read_to_string(self.run_note()).ok()?).ok()
    }

    /// Removes what deletions that were cut short have left.
    pub(super) fn sweep(&self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().contains(".removed-")) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
