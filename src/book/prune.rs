//! The end of tombstones: what was deleted long ago is forgotten, and the head remembers up to where. Leaves out how long
//! they are kept (gateway) and what that means for a client's token (sync).

use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    book::{Head, fault, rows},
    domain::{Moment, Result, Revision},
};

// In the order of revisions up to the first that must stay, however old those behind it are: `pruned` says that all up to
// it are gone, and what is said to be there must be there.
const OLDEST: &str = "SELECT revision, deleted_at FROM tombstone ORDER BY revision LIMIT ?1";
const FORGET: &str = "DELETE FROM tombstone WHERE revision <= ?1";
const FORGET_TIMES: &str = "DELETE FROM deletion WHERE chat_id IN
    (SELECT chat_id FROM deletion WHERE deleted_at < ?1 ORDER BY deleted_at LIMIT ?2)";

pub(super) fn prune(connection: &mut Connection, head: Head, before: Moment, at_most: u32) -> Result<(u64, Head)> {
    let last = last_to_go(connection, before, at_most).map_err(fault::meaning)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault::meaning)?;
    // A contact has at most two chat ids, and so a tombstone at most two times.
    let at_most = u64::from(at_most) * 2;
    let times = transaction.execute(FORGET_TIMES, params![before.millis(), at_most]).map_err(fault::meaning)?;
    let (mut gone, mut after) = (0, head);
    if let Some(last) = last {
        gone = transaction.execute(FORGET, [last.number()]).map_err(fault::meaning)?;
        after = Head { pruned: head.pruned.max(last), ..head.marked() };
        rows::move_head(&transaction, &after)?;
    }
    // A commit of nothing would still wait for the disk.
    if gone + times > 0 {
        transaction.commit().map_err(fault::at_commit)?;
    }
    Ok((gone as u64, after))
}

fn last_to_go(connection: &Connection, before: Moment, at_most: u32) -> rusqlite::Result<Option<Revision>> {
    let mut statement = connection.prepare(OLDEST)?;
    let mut oldest = statement.query([at_most])?;
    let mut last = None;
    while let Some(row) = oldest.next()? {
        if row.get::<_, i64>(1)? >= before.millis() {
            break;
        }
        last = Some(Revision::new(row.get(0)?));
    }
    Ok(last)
}
