//! The gateway's own file, `gateway.db`: which instances exist and which tokens open them. All SQL of those lives here
//! and in the folder beside it; the address books are not its business.

mod companions;
mod intake;
mod webhooks;

use std::path::Path;

use rusqlite::{Connection, params};

use crate::{
    book::{connection, fault::meaning, schema::Schema},
    domain::{Error, InstanceId, Moment, Result},
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
    /// Opens the file, or makes it; the second value tells whether it was made.
    pub(super) fn open(path: &Path) -> Result<(Self, bool)> {
        let is_new = match connection::create_file(path) {
            Ok(()) => true,
            Err(Error::Duplicate { .. }) => false,
            Err(error) => return Err(error),
        };
        let mut connection = connection::open(path)?;
        SCHEMA.migrate(&mut connection)?;
        Ok((Self { connection }, is_new))
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
