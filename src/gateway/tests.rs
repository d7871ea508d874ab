//! The gateway's promises: credentials alone open a book, open files stay within bounds, one process for each folder,
//! and everything survives a restart.

use std::{fs, os::unix::fs::PermissionsExt as _};

use tempfile::TempDir;

use super::*;
use crate::domain::{ChatId, Edit, Field, NamePart, Patch, SavedPatch, Source};

fn open_with(folder: &TempDir, open_books: usize) -> Arc<Gateway> {
    try_open(folder, open_books).unwrap()
}

fn try_open(folder: &TempDir, open_books: usize) -> anyhow::Result<Arc<Gateway>> {
    let settings = Settings {
        quota: Default::default(),
        sessions: folder.path().join("sessions"),
        admin_token: None,
        secret_key: None,
        open_books,
        idle: Duration::from_secs(3600),
        tombstones: Duration::from_secs(3600),
        mailbox: 256,
        long_reads: 2,
        requests_per_minute: 0,
    };
    Gateway::open(settings, Handle::current())
}

fn office(gateway: &Arc<Gateway>) -> Office {
    gateway.administer(Some(gateway.run_key().reveal())).unwrap()
}

async fn instance_with_token(gateway: &Arc<Gateway>, id: &str, scopes: &[&str]) -> AccessToken {
    let office = office(gateway);
    let instance = office.create(id.parse().unwrap()).await.unwrap();
    let scopes = Scopes::parse(scopes.iter().copied()).unwrap();
    let wish = NewToken { label: None, scopes, expires_at: None };
    office.keyring(&instance.id).unwrap().create(wish).await.unwrap().1
}

fn chat(text: &str) -> ChatId {
    text.parse().unwrap()
}

fn named(who: &str, first: &str) -> Edit {
    let first = Field::from(NamePart::parse(first, "name").unwrap());
    let saved = SavedPatch::Parts { first, last: Field::Keep };
    let who: ChatId = who.parse().unwrap();
    Edit::save(who, Patch { saved, ..Patch::default() }, now(), Source::known("test"))
}

fn with<'a>(instance: &'a str, token: &'a str) -> Credentials<'a> {
    Credentials { instance: Some(instance), token: Some(token) }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_token_enters_and_only_for_what_it_may() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let token = instance_with_token(&gateway, "one", &["contacts:read"]).await;
    let other = instance_with_token(&gateway, "two", &["*"]).await;

    assert!(gateway.enter(with("one", token.reveal()), Scope::ContactsRead).is_ok());
    let unnamed = Credentials { instance: None, token: Some(token.reveal()) };
    assert_eq!(gateway.enter(unnamed, Scope::ContactsRead).unwrap().id().as_str(), "one");
    let lacking = gateway.enter(with("one", token.reveal()), Scope::ContactsWrite).err().unwrap();
    assert!(matches!(lacking, Error::Forbidden { scope: "contacts:write" }));
    let run_key = gateway.run_key().reveal().to_owned();
    for credentials in [
        with("one", other.reveal()),
        with("nobody", token.reveal()),
        with("one", "wab_nonsense"),
        with("one", ""),
        with("one", &run_key),
        Credentials { instance: Some("one"), token: None },
        Credentials::default(),
    ] {
        let refused = gateway.enter(credentials, Scope::ContactsRead).err().unwrap();
        assert!(matches!(refused, Error::Refused));
    }
    for token in [None, Some(token.reveal()), Some("")] {
        assert!(matches!(gateway.administer(token).err().unwrap(), Error::Refused));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_books_close_so_that_open_ones_stay_within_the_budget() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 4);
    for n in 0..20 {
        let id = format!("i{n}");
        let token = instance_with_token(&gateway, &id, &["*"]).await;
        let session = gateway.enter(with(&id, token.reveal()), Scope::ContactsWrite).unwrap();
        session.edit(named("111", &id)).await.unwrap();
    }
    assert_eq!(gateway.registry.open_books(), 4, "whoever opens one more closes the longest unused");
    let is_open = |id: &str| gateway.registry.get(&id.parse().unwrap()).unwrap().last_used().is_some();
    assert!((16..20).all(|n| is_open(&format!("i{n}"))));
    for session in gateway.registry.all() {
        let contact = session.get(chat("111")).await.unwrap().unwrap();
        assert_eq!(contact.display(), session.id().as_str(), "a closed book opens again by itself");
    }
    gateway.registry.tidy(Instant::now() + Duration::from_secs(7200)).await;
    assert_eq!(gateway.registry.open_books(), 0, "idle ones close, however few they are");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_book_has_its_turn_to_forget_also_when_it_is_closed() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let mut sessions = Vec::new();
    for n in 0..20 {
        let id = format!("i{n}");
        let token = instance_with_token(&gateway, &id, &["*"]).await;
        let session = gateway.enter(with(&id, token.reveal()), Scope::ContactsWrite).unwrap();
        session.edit(named("111", "Bob")).await.unwrap();
        let gone = Edit::new(chat("111"), crate::domain::Act::Delete, now(), Source::known("test"));
        session.edit(gone).await.unwrap();
        sessions.push(session);
    }
    // As if the house had not been kept so far, and from here on it is kept by hand.
    held(&gateway.house).take().unwrap().abort();
    let (start, day) = (Instant::now() + Duration::from_secs(48 * 3600), Duration::from_secs(24 * 3600));
    gateway.registry.tidy(start).await;
    assert_eq!(gateway.registry.open_books(), 0);
    let mut ticks = 0;
    let all_have_forgotten = async |sessions: &[Session]| {
        for session in sessions {
            let has_forgotten = session.head().await.unwrap().pruned > crate::domain::Revision::default();
            session.rest().await;
            if !has_forgotten {
                return false;
            }
        }
        true
    };
    while !all_have_forgotten(&sessions).await {
        ticks += 1;
        assert!(ticks < 10, "a few at a time, but all of them");
        gateway.registry.prune(Moment::from_millis(i64::MAX), start, day).await;
        assert_eq!(gateway.registry.open_books(), 0, "what was closed is closed again");
    }
    assert!(ticks > 1, "not all at once");
    for session in &sessions {
        session.edit(named("111", "Bob")).await.unwrap();
        let gone = Edit::new(chat("111"), crate::domain::Act::Delete, now(), Source::known("test"));
        session.edit(gone).await.unwrap();
    }
    let before = sessions[0].head().await.unwrap().pruned;
    gateway.registry.prune(Moment::from_millis(i64::MAX), start + day / 2, day).await;
    assert_eq!(sessions[0].head().await.unwrap().pruned, before, "its next turn is a day later");
    for _ in 0..ticks {
        gateway.registry.prune(Moment::from_millis(i64::MAX), start + day, day).await;
    }
    assert!(sessions[0].head().await.unwrap().pruned > before);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_books_survive_a_restart_and_a_revoked_token_stays_revoked() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let first = "one".parse().unwrap();
    assert!(gateway.is_new(&first));
    let token = instance_with_token(&gateway, "one", &["*"]).await;
    let keyring = office(&gateway).keyring(&"one".parse().unwrap()).unwrap();
    let wish = NewToken { label: Some("crm".into()), scopes: Scopes::ALL, expires_at: None };
    let (doomed, doomed_secret) = keyring.create(wish).await.unwrap();
    keyring.revoke(&doomed.id).await.unwrap();
    keyring.revoke(&doomed.id).await.unwrap();
    let session = gateway.enter(with("one", token.reveal()), Scope::ContactsWrite).unwrap();
    session.edit(named("111", "Bob")).await.unwrap();
    drop(keyring);
    gateway.close().await;
    assert!(matches!(session.edit(named("111", "Rob")).await, Err(Error::Busy)), "a closed gateway takes nothing");

    let gateway = open_with(&folder, 100);
    assert!(gateway.is_new(&first), "nobody said that the token was told");
    assert!(!gateway.is_new(&"demo".parse().unwrap()), "others have found the way in");
    gateway.welcomed().await.unwrap();
    assert!(!gateway.is_new(&first));
    let session = gateway.enter(with("one", token.reveal()), Scope::ContactsRead).unwrap();
    assert_eq!(session.get(chat("111")).await.unwrap().unwrap().display(), "Bob");
    assert!(gateway.enter(with("one", doomed_secret.reveal()), Scope::ContactsRead).is_err());
    let tokens = office(&gateway).keyring(&"one".parse().unwrap()).unwrap().list().await.unwrap();
    assert!(tokens.iter().any(|token| token.last_used_at.is_some()), "the last use was noted at the end");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_opens_nothing_and_a_rotated_one_is_replaced() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    instance_with_token(&gateway, "one", &["*"]).await;
    let keyring = office(&gateway).keyring(&"one".parse().unwrap()).unwrap();
    let past = NewToken { label: None, scopes: Scopes::ALL, expires_at: Some(now()) };
    let (_, expired) = keyring.create(past).await.unwrap();
    assert!(gateway.enter(with("one", expired.reveal()), Scope::ContactsRead).is_err());

    let wish = NewToken { label: Some("crm".into()), scopes: Scopes::ALL, expires_at: None };
    let (old, old_secret) = keyring.create(wish).await.unwrap();
    let (new, new_secret) = keyring.rotate(&old.id).await.unwrap();
    assert_eq!((new.label, new.scopes), (old.label, old.scopes));
    assert!(gateway.enter(with("one", old_secret.reveal()), Scope::ContactsRead).is_err());
    assert!(gateway.enter(with("one", new_secret.reveal()), Scope::ContactsRead).is_ok());
    assert!(matches!(keyring.rotate(&old.id).await, Err(Error::NoToken)), "what is revoked is not rotated");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_instance_is_gone_with_its_book_and_never_taken_over() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let token = instance_with_token(&gateway, "one", &["*"]).await;
    let session = gateway.enter(with("one", token.reveal()), Scope::ContactsWrite).unwrap();
    session.edit(named("111", "Bob")).await.unwrap();
    let one = "one".parse().unwrap();
    office(&gateway).remove(&one).await.unwrap();
    assert!(gateway.enter(with("one", token.reveal()), Scope::ContactsRead).is_err());
    assert!(matches!(office(&gateway).remove(&one).await, Err(Error::NoInstance)));
    assert!(!folder.path().join("sessions/one").exists());
    // A removal that was cut short leaves a folder with a name that no instance can have.
    let rest = folder.path().join("sessions/one.removed-1");
    fs::create_dir(&rest).unwrap();
    gateway.close().await;
    drop(session);

    let gateway = open_with(&folder, 100);
    assert!(!rest.exists());
    let token = instance_with_token(&gateway, "one", &["*"]).await;
    let session = gateway.enter(with("one", token.reveal()), Scope::ContactsRead).unwrap();
    assert_eq!(session.get(chat("111")).await.unwrap(), None);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_its_book_is_told_and_hurts_no_other() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let one = instance_with_token(&gateway, "one", &["*"]).await;
    let two = instance_with_token(&gateway, "two", &["*"]).await;
    fs::remove_dir_all(folder.path().join("sessions/one")).unwrap();
    let session = gateway.enter(with("one", one.reveal()), Scope::ContactsWrite).unwrap();
    assert!(matches!(session.edit(named("111", "Bob")).await, Err(Error::Quarantined)));
    assert!(!folder.path().join("sessions/one").exists(), "no empty book is made in its place");
    let session = gateway.enter(with("two", two.reveal()), Scope::ContactsWrite).unwrap();
    session.edit(named("111", "Bob")).await.unwrap();
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_holds_the_folder() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let refused = try_open(&folder, 100).err().unwrap().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    gateway.close().await;
    open_with(&folder, 100).close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_for_their_owner_only_and_the_admin_token_stays() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let sessions = folder.path().join("sessions");
    let mode = |name: &str| fs::metadata(sessions.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    for name in ["admin.token", "gateway.key", "gateway.db", "gateway.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let admin = fs::read_to_string(sessions.join("admin.token")).unwrap();
    assert!(gateway.administer(Some(admin.trim())).is_ok());
    gateway.close().await;
    let gateway = open_with(&folder, 100);
    assert!(gateway.administer(Some(admin.trim())).is_ok());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_sessions_folder_of_its_own() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let token = instance_with_token(&gateway, "one", &["*"]).await;
    let session = gateway.enter(with("one", token.reveal()), Scope::ContactsWrite).unwrap();
    session.edit(named("111", "Bob")).await.unwrap();
    let copy = TempDir::new().unwrap();
    let target = copy.path().join("sessions");
    let backup = office(&gateway).back_up(&target).await.unwrap();
    assert_eq!((backup.instances, backup.failed), (1, 0));
    assert!(office(&gateway).back_up(&target).await.is_err(), "a backup overwrites nothing");
    assert!(office(&gateway).back_up(std::path::Path::new("relative")).await.is_err());
    let admin = fs::read_to_string(folder.path().join("sessions/admin.token")).unwrap();
    let from_afar = gateway.administer(Some(admin.trim())).unwrap();
    assert!(matches!(from_afar.back_up(&copy.path().join("b")).await, Err(Error::Forbidden { .. })));
    session.edit(named("222", "Eve")).await.unwrap();
    gateway.close().await;

    let restored = open_with(&copy, 100);
    let session = restored.enter(with("one", token.reveal()), Scope::ContactsRead).unwrap();
    assert_eq!(session.get(chat("111")).await.unwrap().unwrap().display(), "Bob");
    assert_eq!(session.get(chat("222")).await.unwrap(), None);
    restored.close().await;
}

/// Each of the gateway's two own files is worth nothing without the other, and neither is made anew in silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_emptied_file_of_the_gateways_own_is_told_at_the_start() {
    let folder = TempDir::new().unwrap();
    let gateway = open_with(&folder, 100);
    let token = instance_with_token(&gateway, "one", &["*"]).await;
    gateway.close().await;
    drop(gateway);
    let path = |name: &str| folder.path().join("sessions").join(name);
    let [store, key] = ["gateway.db", "gateway.key"].map(|name| fs::read(path(name)).unwrap());
    let complaint = || try_open(&folder, 100).err().unwrap().to_string();

    for damaged in [&b""[..], &store[..50], b"something else"] {
        fs::write(path("gateway.db"), damaged).unwrap();
        assert!(complaint().contains("gateway.db"), "{}", complaint());
        assert!(fs::read(path("gateway.db")).unwrap() == damaged, "it is left as it is");
    }
    fs::remove_file(path("gateway.db")).unwrap();
    assert!(complaint().contains("no gateway.db"), "{}", complaint());
    assert!(!path("gateway.db").exists());
    fs::write(path("gateway.db"), &store).unwrap();
    fs::write(path("gateway.key"), "").unwrap();
    assert!(complaint().contains("is empty"), "{}", complaint());
    fs::remove_file(path("gateway.key")).unwrap();
    assert!(complaint().contains("no gateway.key"), "{}", complaint());
    assert!(!path("gateway.key").exists());

    fs::write(path("gateway.key"), &key).unwrap();
    let gateway = open_with(&folder, 100);
    assert!(gateway.enter(with("one", token.reveal()), Scope::ContactsRead).is_ok(), "all is as it was");
    gateway.close().await;
    drop(gateway);

    // Both lost: as the complaint says, the books stay and are taken over by name.
    fs::remove_file(path("gateway.db")).unwrap();
    fs::remove_file(path("gateway.key")).unwrap();
    let gateway = open_with(&folder, 100);
    assert!(gateway.enter(with("one", token.reveal()), Scope::ContactsRead).is_err());
    instance_with_token(&gateway, "one", &["*"]).await;
    gateway.close().await;
}

/// Killed before the file had its name, or before there was a key for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_was_cut_short_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join("sessions").join(name);
    fs::create_dir(path("")).unwrap();
    fs::write(path("gateway.key"), "a key that was made\n").unwrap();
    fs::write(path("gateway.unfinished"), "half").unwrap();
    fs::write(path("gateway.unfinished-wal"), "of one").unwrap();
    let gateway = open_with(&folder, 100);
    assert!(gateway.is_new(&"demo".parse().unwrap()));
    assert!(!path("gateway.unfinished").exists() && !path("gateway.unfinished-wal").exists());
    gateway.close().await;
}
