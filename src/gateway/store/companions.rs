//! The settings of companions as rows of the gateway's own file; part of `Store`. The keys come and go sealed.

use rusqlite::{OptionalExtension, Row, params};

use super::Store;
use crate::{
    book::fault::meaning,
    domain::{InstanceId, Result},
};

/// One row; the key as it lies there.
pub(in crate::gateway) struct CompanionRow {
    pub(in crate::gateway) instance: String,
    pub(in crate::gateway) url: String,
    pub(in crate::gateway) session: String,
    pub(in crate::gateway) api_key: Option<Vec<u8>>,
    pub(in crate::gateway) pace: u32,
    pub(in crate::gateway) pull_every: u64,
}

const ALL: &str = "SELECT instance, url, session, api_key, pace, pull_every FROM companion ORDER BY instance";
const ONE: &str = "SELECT instance, url, session, api_key, pace, pull_every FROM companion WHERE instance = ?1";
const SET: &str = "INSERT OR REPLACE INTO companion (instance, kind, url, session, api_key, pace, pull_every)
    VALUES (?1, 'waha', ?2, ?3, ?4, ?5, ?6)";
const REMOVE: &str = "DELETE FROM companion WHERE instance = ?1";

impl Store {
    pub(in crate::gateway) fn companions(&self) -> Result<Vec<CompanionRow>> {
        let mut statement = self.connection.prepare_cached(ALL).map_err(meaning)?;
        let rows = statement.query_map([], companion).map_err(meaning)?;
        rows.collect::<rusqlite::Result<_>>().map_err(meaning)
    }

    pub(in crate::gateway) fn companion(&self, instance: &InstanceId) -> Result<Option<CompanionRow>> {
        let mut statement = self.connection.prepare_cached(ONE).map_err(meaning)?;
        statement.query_row([instance.as_str()], companion).optional().map_err(meaning)
    }

    pub(in crate::gateway) fn set_companion(&self, row: &CompanionRow) -> Result<()> {
        let CompanionRow { instance, url, session, api_key, pace, pull_every } = row;
        let params = params![instance, url, session, api_key, pace, pull_every];
        self.connection.execute(SET, params).map_err(meaning)?;
        Ok(())
    }

    pub(in crate::gateway) fn remove_companion(&self, instance: &InstanceId) -> Result<()> {
        self.connection.execute(REMOVE, [instance.as_str()]).map_err(meaning)?;
        Ok(())
    }
}

fn companion(row: &Row<'_>) -> rusqlite::Result<CompanionRow> {
    Ok(CompanionRow {
        instance: row.get(0)?,
        url: row.get(1)?,
        session: row.get(2)?,
        api_key: row.get(3)?,
        pace: row.get(4)?,
        pull_every: row.get(5)?,
    })
}
