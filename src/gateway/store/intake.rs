//! The table of the keys under which webhooks for an instance are signed. What is in here is sealed; who opens it is next
//! door (`gateway::intake`).

use rusqlite::params;

use super::Store;
use crate::{
    book::fault::meaning,
    domain::{InstanceId, Moment, Result},
};

/// A key as it lies in the file.
pub(in crate::gateway) struct SealedKey {
    pub(in crate::gateway) instance: InstanceId,
    pub(in crate::gateway) sealed: Vec<u8>,
    pub(in crate::gateway) set_at: Moment,
}

const ALL: &str = "SELECT instance, sealed_key, set_at FROM intake";
const SET: &str = "INSERT INTO intake (instance, sealed_key, set_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (instance) DO UPDATE SET sealed_key = excluded.sealed_key, set_at = excluded.set_at";
const REMOVE: &str = "DELETE FROM intake WHERE instance = ?1";

impl Store {
    pub(in crate::gateway) fn intake_keys(&self) -> Result<Vec<SealedKey>> {
        let mut statement = self.connection.prepare_cached(ALL).map_err(meaning)?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(meaning)?;
        let key = |(instance, sealed, at): (String, Vec<u8>, i64)| {
            Ok(SealedKey { instance: instance.parse()?, sealed, set_at: Moment::from_millis(at) })
        };
        rows.into_iter().map(key).collect()
    }

    pub(in crate::gateway) fn set_intake_key(&self, key: &SealedKey) -> Result<()> {
        let SealedKey { instance, sealed, set_at } = key;
        self.connection.execute(SET, params![instance.as_str(), sealed, set_at.millis()]).map_err(meaning)?;
        Ok(())
    }

    pub(in crate::gateway) fn remove_intake_key(&self, instance: &InstanceId) -> Result<()> {
        self.connection.execute(REMOVE, [instance.as_str()]).map_err(meaning)?;
        Ok(())
    }
}
