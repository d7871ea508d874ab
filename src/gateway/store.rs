//! The gateway's own file, `gateway.db`: which instances exist and which tokens open them. All SQL of those lives here
//! and in the folder beside it; the address books are not its business.

mod companions;
mod intake;
mod webhooks;

use std::{fs, path::Path};

use anyhow::Context as _;
use rusqlite::{Connection, params};

use crate::{
    book::{connection, fault::meaning, schema::Schema},
    domain::{InstanceId, Moment, Result},
    gateway::{scope::Scopes, secrets::TokenHash, tokens::Token},
};

pub(super) use companions::CompanionRow;
pub(super) use intake::SealedKey;

const SCHEMA: Schema = Schema {
    // "wabg"
    application_id: 0x7761_6267,
    migrations: &[
        include_str!("migrations/0001_gateway.sql"),
        include_str!("migrations/0002_webhooks.sql"),
        include_str!("migrations/0003_companions.sql"),
        include_str!("migrations/0004_intake.sql"),
        include_str!("migrations/0005_welcome.sql"),
    ],
};

#[derive(Debug, Clone)]
pub struct Instance {
    pub id: InstanceId,
    pub created_at: Moment,
}

pub(super) struct Store {
    pub(super) connection: Connection,
}

impl Store {
    /// Makes the file. It gets its name when it is whole, so that being cut short leaves none rather than half of one.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let unfinished = path.with_extension("unfinished");
        for leftover in ["unfinished", "unfinished-wal", "unfinished-shm"] {
            let _ = fs::remove_file(path.with_extension(leftover));
        }
        connection::create_file(&unfinished)?;
        let mut connection = connection::open(&unfinished)?;
        SCHEMA.migrate(&mut connection)?;
        connection.execute("INSERT INTO welcome VALUES (1)", [])?;
        connection.close().map_err(|(_, error)| error)?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), connection::sync_folder)?;
        Self::open(path)
    }

    /// Opens the file. One that holds nothing is not how this program leaves it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let describe = || format!("{} cannot be opened", path.display());
        let empty = || {
            anyhow::anyhow!(
                "{} is empty: put it back from a backup, with its gateway.key. If both are lost, move both away: the \
                 address books stay, and `wabook instance create` with the name of one takes it over",
                path.display()
            )
        };
        // Looked at before SQLite does, which would take it for a new one and begin it.
        anyhow::ensure!(fs::metadata(path).with_context(describe)?.len() > 0, empty());
        let mut connection = connection::open(path).with_context(describe)?;
        anyhow::ensure!(!SCHEMA.is_blank(&connection).with_context(describe)?, empty());
        SCHEMA.migrate(&mut connection).with_context(describe)?;
        Ok(Self { connection })
    }

    /// Whether anything in it is worth nothing without the key file.
    pub(super) fn needs_key(&self) -> Result<bool> {
        let any = "SELECT EXISTS (SELECT 1 FROM token) OR EXISTS (SELECT 1 FROM webhook)
            OR EXISTS (SELECT 1 FROM companion WHERE api_key IS NOT NULL) OR EXISTS (SELECT 1 FROM intake)";
        self.connection.query_row(any, [], |row| row.get(0)).map_err(meaning)
    }

    pub(super) fn is_welcome_due(&self) -> Result<bool> {
        self.connection.query_row("SELECT EXISTS (SELECT 1 FROM welcome)", [], |row| row.get(0)).map_err(meaning)
    }

    pub(super) fn welcomed(&self) -> Result<()> {
        self.connection.execute("DELETE FROM welcome", []).map(drop).map_err(meaning)
    }

    pub(super) fn instances(&self) -> Result<Vec<Instance>> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, created_at FROM instance ORDER BY id").map_err(meaning)?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(meaning)?;
        rows.into_iter().map(|(id, at)| Ok(Instance { id: id.parse()?, created_at: Moment::from_millis(at) })).collect()
    }

    pub(super) fn add_instance(&self, instance: &Instance) -> Result<()> {
        self.connection
            .execute(
                "INSERT INTO instance (id, created_at) VALUES (?1, ?2)",
                params![instance.id.as_str(), instance.created_at.millis()],
            )
            .map_err(meaning)?;
        Ok(())
    }

    /// Its tokens go with it.
    pub(super) fn remove_instance(&self, id: &InstanceId) -> Result<()> {
        self.connection.execute("DELETE FROM instance WHERE id = ?1", [id.as_str()]).map_err(meaning)?;
        Ok(())
    }

    pub(super) fn tokens(&self) -> Result<Vec<(Token, TokenHash)>> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, instance, hash, label, scopes, created_at, expires_at, revoked_at, last_used_at
                 FROM token ORDER BY created_at, id",
            )
            .map_err(meaning)?;
        let mut rows = statement.query([]).map_err(meaning)?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next().map_err(meaning)? {
            tokens.push(token(row)?);
        }
        Ok(tokens)
    }

    pub(super) fn add_token(&self, token: &Token, hash: &TokenHash) -> Result<()> {
        self.connection
            .execute(
                "INSERT INTO token (id, instance, hash, label, scopes, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    token.id,
                    token.instance.as_str(),
                    hash,
                    token.label,
                    token.scopes.words().join(" "),
                    token.created_at.millis(),
                    token.expires_at.map(Moment::millis)
                ],
            )
            .map_err(meaning)?;
        Ok(())
    }

    pub(super) fn revoke_token(&self, id: &str, at: Moment) -> Result<()> {
        self.connection
            .execute("UPDATE token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL", params![id, at.millis()])
            .map_err(meaning)?;
        Ok(())
    }

    pub(super) fn note_use(&mut self, uses: &[(String, Moment)]) -> Result<()> {
        let transaction = self.connection.transaction().map_err(meaning)?;
        for (id, at) in uses {
            transaction
                .execute("UPDATE token SET last_used_at = ?2 WHERE id = ?1", params![id, at.millis()])
                .map_err(meaning)?;
        }
        transaction.commit().map_err(meaning)
    }

    pub(super) fn copy_to(&self, path: &Path) -> Result<()> {
        connection::copy(&self.connection, path, |_| Ok(()))
    }
}

fn token(row: &rusqlite::Row<'_>) -> Result<(Token, TokenHash)> {
    let time = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment::from_millis)).map_err(meaning);
    let text = |place| row.get::<_, String>(place).map_err(meaning);
    let token = Token {
        id: text(0)?,
        instance: text(1)?.parse()?,
        label: row.get(3).map_err(meaning)?,
        scopes: Scopes::parse(text(4)?.split(' '))?,
        created_at: time(5)?.unwrap_or_default(),
        expires_at: time(6)?,
        revoked_at: time(7)?,
        last_used_at: time(8)?,
    };
    Ok((token, row.get(2).map_err(meaning)?))
}
