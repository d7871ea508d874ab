//! What is known of LIDs and phones: every mapping that was ever reported, and which of them hold now.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::{
    book::{Reader, fault::meaning, rows},
    domain::{ChatId, Digits, Mapping, Moment, Result, Source, Stamp},
};

macro_rules! columns {
    () => {
        "lid, phone, learned_at, source"
    };
}

const LEARN: &str = concat!(
    "INSERT INTO mapping (",
    columns!(),
    ", current) VALUES (?1, ?2, ?3, ?4, 0)
    ON CONFLICT (lid, phone) DO UPDATE SET learned_at = excluded.learned_at, source = excluded.source
        WHERE excluded.learned_at > learned_at"
);
// Only pairs that share the LID or the phone can have won or lost by it.
const DOUBT_OF_LID: &str = "UPDATE mapping SET current = 0 WHERE lid = ?1 AND current = 1";
const DOUBT_OF_PHONE: &str = "UPDATE mapping SET current = 0 WHERE phone = ?1 AND current = 1";
const HOLDS: &str = "UPDATE mapping SET current = 1 WHERE lid = ?1 AND phone = ?2";
// The history of a LID is bounded. What says of a phone that somebody else's claim on it is outdated stays.
const TRIM: &str = "
    DELETE FROM mapping AS m WHERE lid = ?1 AND current = 0 AND learned_at <
        (SELECT learned_at FROM mapping WHERE lid = ?1 ORDER BY learned_at DESC LIMIT 1 OFFSET 15)
        AND NOT EXISTS (SELECT 1 FROM mapping o WHERE o.phone = m.phone AND o.lid <> m.lid)";
const NEWEST_OF_LID: &str =
    concat!("SELECT ", columns!(), " FROM mapping WHERE lid = ?1 ORDER BY learned_at DESC, phone DESC LIMIT 1");
const NEWEST_OF_PHONE: &str =
    concat!("SELECT ", columns!(), " FROM mapping WHERE phone = ?1 ORDER BY learned_at DESC, lid DESC LIMIT 1");
const CURRENT_OF_LID: &str = concat!("SELECT ", columns!(), " FROM mapping WHERE lid = ?1 AND current = 1");
const CURRENT_OF_PHONE: &str = concat!("SELECT ", columns!(), " FROM mapping WHERE phone = ?1 AND current = 1");
const CURRENT: &str = concat!("SELECT ", columns!(), " FROM mapping WHERE current = 1 ORDER BY lid LIMIT ?1 OFFSET ?2");
const COUNT: &str = "SELECT count(*) FROM mapping WHERE current = 1";
const REPORTED: &str = "SELECT 1 FROM mapping WHERE lid = ?1 AND phone = ?2 AND learned_at >= ?3";
const KNOWN: &str = "SELECT 1 FROM mapping WHERE lid = ?1 AND phone = ?2";
// Nobody reads about more; a phone's history has no bound of its own.
const HISTORY_OF_LID: &str =
    concat!("SELECT ", columns!(), ", current FROM mapping WHERE lid = ?1 ORDER BY learned_at DESC LIMIT 32");
const HISTORY_OF_PHONE: &str =
    concat!("SELECT ", columns!(), ", current FROM mapping WHERE phone = ?1 ORDER BY learned_at DESC LIMIT 32");

/// Of all that is known of the LID and of the phone, only the newest of each can hold now.
pub(super) fn learn(connection: &Connection, mapping: &Mapping) -> Result<()> {
    let (lid, phone) = (mapping.lid.as_str(), mapping.phone.as_str());
    let run = |sql, params: &[&str]| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params_from_iter(params)))
    };
    connection
        .prepare_cached(LEARN)
        .and_then(|mut statement| statement.execute(params![lid, phone, mapping.by.at.millis(), mapping.by.word()]))
        .and_then(|_| run(DOUBT_OF_LID, &[lid]))
        .and_then(|_| run(DOUBT_OF_PHONE, &[phone]))
        .map_err(meaning)?;
    for id in [ChatId::Lid(mapping.lid), ChatId::Phone(mapping.phone)] {
        let Some(newest) = newest(connection, &id)? else { continue };
        let of_other = self::newest(connection, &newest.partner(&id))?;
        if of_other.is_some_and(|theirs| theirs.is_of_same_pair(&newest)) {
            run(HOLDS, &[newest.lid.as_str(), newest.phone.as_str()]).map_err(meaning)?;
        }
    }
    run(TRIM, &[lid]).map_err(meaning)?;
    Ok(())
}

/// Whether this very pair was reported at this time or later.
pub(super) fn was_reported(connection: &Connection, mapping: &Mapping) -> Result<bool> {
    let params = params![mapping.lid.as_str(), mapping.phone.as_str(), mapping.by.at.millis()];
    connection.prepare_cached(REPORTED).and_then(|mut statement| statement.exists(params)).map_err(meaning)
}

pub(super) fn newest(connection: &Connection, id: &ChatId) -> Result<Option<Mapping>> {
    one(connection, if id.is_phone() { NEWEST_OF_PHONE } else { NEWEST_OF_LID }, id.digits())
}

fn one(connection: &Connection, sql: &str, digits: &Digits) -> Result<Option<Mapping>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([digits.as_str()], mapping).optional())
        .map_err(meaning)
}

impl Reader {
    /// The mappings that hold, by LID; also of those whom the book does not hold.
    pub fn mappings(&self, limit: u32, offset: u64) -> Result<Vec<Mapping>> {
        let mut statement = self.connection.prepare_cached(CURRENT).map_err(meaning)?;
        let rows = statement.query_map(params![limit, offset], mapping).map_err(meaning)?;
        rows.collect::<rusqlite::Result<_>>().map_err(meaning)
    }

    pub fn mapping_count(&self) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(COUNT).map_err(meaning)?;
        statement.query_row([], |row| row.get(0)).map_err(meaning)
    }

    /// The mapping in which this LID or phone stands now.
    pub fn mapping(&self, id: &ChatId) -> Result<Option<Mapping>> {
        one(&self.connection, if id.is_phone() { CURRENT_OF_PHONE } else { CURRENT_OF_LID }, id.digits())
    }

    /// Those pairs of a LID and a phone that nobody ever reported, whether they would hold or not.
    pub fn unheard_of(&self, pairs: &[(Digits, Digits)]) -> Result<Vec<(Digits, Digits)>> {
        let mut statement = self.connection.prepare_cached(KNOWN).map_err(meaning)?;
        let mut unheard_of = Vec::new();
        for (lid, phone) in pairs {
            if !statement.exists([lid.as_str(), phone.as_str()]).map_err(meaning)? {
                unheard_of.push((*lid, *phone));
            }
        }
        Ok(unheard_of)
    }

    /// What was ever learned of this LID or phone, the newest first and at most 32, and whether each holds.
    pub fn mapping_history(&self, id: &ChatId) -> Result<Vec<(Mapping, bool)>> {
        let sql = if id.is_phone() { HISTORY_OF_PHONE } else { HISTORY_OF_LID };
        let mut statement = self.connection.prepare_cached(sql).map_err(meaning)?;
        let rows =
            statement.query_map([id.digits().as_str()], |row| Ok((mapping(row)?, row.get(4)?))).map_err(meaning)?;
        rows.collect::<rusqlite::Result<_>>().map_err(meaning)
    }
}

fn mapping(row: &Row<'_>) -> rusqlite::Result<Mapping> {
    let (lid, phone) = (rows::digits(row, 0, ChatId::lid)?, rows::digits(row, 1, ChatId::phone)?);
    let (Some(lid), Some(phone)) = (lid, phone) else { unreachable!("both columns are never null") };
    let at = Moment::from_millis(row.get(2)?);
    let source = row.get_ref(3)?.as_str()?.parse().unwrap_or(Source::known("unknown"));
    Ok(Mapping { lid, phone, by: Stamp { at, source } })
}
