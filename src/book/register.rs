//! Groups, sources and statuses: three tables of one shape, and who is in which group.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::{
    book::{
        Head, Reader,
        fault::meaning,
        rows::{self, columns},
        seal,
    },
    domain::{
        Contact, ContactId, Entry, Error, Moment, NamePart, Register, RegisterAct, RegisterEdit, Result, Revision, fold,
    },
};

impl Register {
    fn table(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Sources => "sources",
            Self::Statuses => "statuses",
        }
    }

    /// How many contacts an entry is used by.
    fn use_count(self) -> &'static str {
        match self {
            Self::Groups => "SELECT count(*) FROM membership WHERE group_id = ?1",
            Self::Sources => "SELECT count(*) FROM contact WHERE source_id = ?1",
            Self::Statuses => "SELECT count(*) FROM contact WHERE status_id = ?1",
        }
    }
}

impl Reader {
    /// All entries, in the order of their numbers.
    pub fn entries(&self, register: Register) -> Result<Vec<Entry>> {
        let sql = format!("SELECT id, name, color, created_at, updated_at FROM {} ORDER BY id", register.table());
        let mut statement = self.connection.prepare_cached(&sql).map_err(meaning)?;
        let entries = statement.query_map([], entry).map_err(meaning)?;
        entries.collect::<rusqlite::Result<_>>().map_err(meaning)
    }
}

pub(super) fn has(connection: &Connection, register: Register, id: i64) -> Result<bool> {
    get(connection, register, id).map(|entry| entry.is_some())
}

pub(super) fn named(connection: &Connection, register: Register, name: &NamePart) -> Result<Option<i64>> {
    let sql = format!("SELECT id FROM {} WHERE name_key = ?1", register.table());
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([key(name)], |row| row.get(0)).optional())
        .map_err(meaning)
}

/// Puts a contact into the groups that its row names.
pub(super) fn enrol(connection: &Connection, contact: &Contact) -> Result<()> {
    for group in contact.card.groups.iter().flatten() {
        connection
            .prepare_cached("INSERT OR IGNORE INTO membership (group_id, contact_id) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute([*group, contact.id.0]))
            .map_err(meaning)?;
    }
    Ok(())
}

pub(super) fn leave_all(connection: &Connection, contact: ContactId) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM membership WHERE contact_id = ?1")
        .and_then(|mut statement| statement.execute([contact.0]))
        .map_err(meaning)?;
    Ok(())
}

/// One change in a transaction of its own. For a removal the answer is the entry as it last stood.
pub(super) fn edit(connection: &mut Connection, head: Head, edit: &RegisterEdit) -> Result<(Entry, Head)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(meaning)?;
    let (register, mut after) = (edit.register, head.marked());
    let table = register.table();
    let entry = match &edit.act {
        RegisterAct::Add { name, color } => {
            refuse_duplicate(&transaction, register, name, None)?;
            let sql = format!(
                "INSERT INTO {table} (name, name_key, color, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
            );
            transaction.execute(&sql, params![name.as_str(), key(name), color, edit.at.millis()]).map_err(meaning)?;
            let id = transaction.last_insert_rowid();
            get(&transaction, register, id)?.ok_or(Error::NoEntry)?
        }
        RegisterAct::Rename { id, name, color } => {
            get(&transaction, register, *id)?.ok_or(Error::NoEntry)?;
            refuse_duplicate(&transaction, register, name, Some(*id))?;
            let sql = format!("UPDATE {table} SET name = ?2, name_key = ?3, color = ?4, updated_at = ?5 WHERE id = ?1");
            transaction
                .execute(&sql, params![id, name.as_str(), key(name), color, edit.at.millis()])
                .map_err(meaning)?;
            get(&transaction, register, *id)?.ok_or(Error::NoEntry)?
        }
        RegisterAct::Remove { id } => {
            let entry = get(&transaction, register, *id)?.ok_or(Error::NoEntry)?;
            if register == Register::Groups {
                after.revision = dissolve(&transaction, *id, head.revision, edit.at)?;
            } else {
                let by: u64 = transaction.query_row(register.use_count(), [id], |row| row.get(0)).map_err(meaning)?;
                if by > 0 {
                    return Err(Error::InUse { by });
                }
            }
            transaction.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [id]).map_err(meaning)?;
            entry
        }
    };
    rows::move_head(&transaction, &after)?;
    transaction.commit().map_err(super::fault::at_commit)?;
    Ok((entry, after))
}

const BROKEN_MEMBER: &str = concat!(
    "SELECT 1 FROM contact WHERE id IN (SELECT contact_id FROM membership WHERE group_id = ?1) AND seal <> sealed(",
    columns!(),
    ")"
);
const SEAL_MEMBERS: &str = concat!(
    "UPDATE contact SET seal = sealed(",
    columns!(),
    ") WHERE id IN (SELECT contact_id FROM membership WHERE group_id = ?1)"
);

/// Takes everybody out of a group. Each of them has changed, so each gets a revision. A row that is damaged must not get a
/// good seal by it.
fn dissolve(connection: &Connection, group: i64, from: Revision, at: Moment) -> Result<Revision> {
    if connection.prepare(BROKEN_MEMBER).and_then(|mut broken| broken.exists([group])).map_err(meaning)? {
        return Err(meaning(seal::broken()));
    }
    connection
        .execute(
            "UPDATE contact SET
                groups = (SELECT nullif(json_group_array(value), '[]') FROM json_each(groups) WHERE value <> ?1),
                updated_at = ?2,
                revision = ?3 + place
             FROM (SELECT contact_id AS member, row_number() OVER (ORDER BY contact_id) AS place
                   FROM membership WHERE group_id = ?1)
             WHERE id = member",
            params![group, at.millis(), from.number()],
        )
        .and_then(|_| connection.execute(SEAL_MEMBERS, [group]))
        .and_then(|_| connection.execute("DELETE FROM membership WHERE group_id = ?1", [group]))
        .map(|changed| Revision::new(from.number() + changed as u64))
        .map_err(meaning)
}

fn refuse_duplicate(connection: &Connection, register: Register, name: &NamePart, own: Option<i64>) -> Result<()> {
    match named(connection, register, name)? {
        Some(id) if Some(id) != own => Err(Error::Duplicate { field: "name" }),
        _ => Ok(()),
    }
}

fn get(connection: &Connection, register: Register, id: i64) -> Result<Option<Entry>> {
    let sql = format!("SELECT id, name, color, created_at, updated_at FROM {} WHERE id = ?1", register.table());
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([id], entry).optional())
        .map_err(meaning)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        name: NamePart::trusted(row.get::<_, Box<str>>(1)?),
        color: row.get(2)?,
        created_at: Moment::from_millis(row.get(3)?),
        updated_at: Moment::from_millis(row.get(4)?),
    })
}

fn key(name: &NamePart) -> String {
    fold(name.as_str().trim())
}
