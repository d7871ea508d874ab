//! The SQL of the webhooks' settings. Leaves out what they mean (`gateway::webhooks`).

use rusqlite::{Row, params};

use super::Store;
use crate::{
    book::fault::meaning,
    domain::{Epoch, InstanceId, Moment, Result, Revision},
    gateway::{EventTypes, Webhook, WebhookState},
};

const OF_INSTANCE: &str = "
    SELECT id, url, types, state, reason, description, epoch, began, version, created_at, updated_at, secret,
        previous_secret, previous_until
    FROM webhook WHERE instance = ?1 ORDER BY created_at, id";
const ADD: &str = "
    INSERT INTO webhook (id, instance, url, types, state, reason, description, epoch, began, version, created_at,
        updated_at, secret, previous_secret, previous_until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const CHANGE: &str = "
    UPDATE webhook SET url = ?3, types = ?4, state = ?5, reason = ?6, description = ?7, epoch = ?8, began = ?9,
        version = ?10, created_at = ?11, updated_at = ?12, secret = ?13, previous_secret = ?14, previous_until = ?15
    WHERE id = ?1 AND instance = ?2";
const REMOVE: &str = "DELETE FROM webhook WHERE instance = ?1 AND id = ?2";

impl Store {
    pub(in crate::gateway) fn instances_with_webhooks(&self) -> Result<Vec<InstanceId>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT instance FROM webhook ORDER BY instance")
            .map_err(meaning)?;
        let ids = statement.query_map([], |row| row.get::<_, String>(0)).map_err(meaning)?;
        ids.map(|id| Ok(id.map_err(meaning)?.parse()?)).collect()
    }

    pub(in crate::gateway) fn webhooks(&self, instance: &InstanceId) -> Result<Vec<Webhook>> {
        let mut statement = self.connection.prepare_cached(OF_INSTANCE).map_err(meaning)?;
        let webhooks = statement.query_map([instance.as_str()], |row| webhook(row, instance)).map_err(meaning)?;
        webhooks.collect::<rusqlite::Result<_>>().map_err(meaning)
    }

    pub(in crate::gateway) fn add_webhook(&self, webhook: &Webhook) -> Result<()> {
        self.put_webhook(ADD, webhook)
    }

    pub(in crate::gateway) fn change_webhook(&self, webhook: &Webhook) -> Result<()> {
        self.put_webhook(CHANGE, webhook)
    }

    /// Whether there was one.
    pub(in crate::gateway) fn remove_webhook(&self, instance: &InstanceId, id: &str) -> Result<bool> {
        let removed = self.connection.execute(REMOVE, params![instance.as_str(), id]).map_err(meaning)?;
        Ok(removed > 0)
    }

    /// Both statements number their parameters alike.
    fn put_webhook(&self, sql: &str, webhook: &Webhook) -> Result<()> {
        let reason = if let WebhookState::Disabled(reason) = &webhook.state { Some(reason) } else { None };
        let (previous, until) = webhook.previous.as_ref().map(|(secret, until)| (secret, until.millis())).unzip();
        let mut statement = self.connection.prepare_cached(sql).map_err(meaning)?;
        statement
            .execute(params![
                webhook.id,
                webhook.instance.as_str(),
                webhook.url,
                webhook.types.bits(),
                webhook.state.word(),
                reason,
                webhook.description,
                webhook.epoch.0,
                webhook.began.number(),
                webhook.version,
                webhook.created_at.millis(),
                webhook.updated_at.millis(),
                webhook.secret,
                previous,
                until
            ])
            .map_err(meaning)?;
        Ok(())
    }
}

fn webhook(row: &Row<'_>, instance: &InstanceId) -> rusqlite::Result<Webhook> {
    let state = match row.get_ref(3)?.as_str()? {
        "active" => WebhookState::Active,
        "paused" => WebhookState::Paused,
        _ => WebhookState::Disabled(row.get::<_, Option<String>>(4)?.unwrap_or_default()),
    };
    let previous: Option<Vec<u8>> = row.get(12)?;
    Ok(Webhook {
        id: row.get(0)?,
        instance: instance.clone(),
        url: row.get(1)?,
        types: EventTypes::from_bits(row.get(2)?),
        state,
        description: row.get(5)?,
        epoch: Epoch(row.get(6)?),
        began: Revision::new(row.get(7)?),
        version: row.get(8)?,
        created_at: Moment::from_millis(row.get(9)?),
        updated_at: Moment::from_millis(row.get(10)?),
        secret: row.get(11)?,
        previous: previous.zip(row.get::<_, Option<i64>>(13)?.map(Moment::from_millis)),
    })
}
