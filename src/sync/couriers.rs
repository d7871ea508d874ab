//! A courier for each active webhook, each a task of its own, so that a receiver who hangs delays nobody else. Follows what
//! is registered, changed and removed; ends in order. Leaves out what a courier does (`courier`).

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    carrier::Carrier,
    courier::{Courier, Next},
    retry,
};
use crate::{
    book::HookWork,
    domain::{Error, InstanceId, Moment, Result},
    gateway::{Office, Webhook, WebhookState, Webhooks, now},
    session::Session,
};

/// Nobody sleeps longer without looking at the clock, which may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How long what was told may stay unnoted when nothing happens.
const NOTED_AFTER: Duration = Duration::from_secs(1);
/// How long it is waited for a book that cannot be read or written now, at first and at most.
const TROUBLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A courier that is told to stop has to write one note at most.
const LAST_NOTE: Duration = Duration::from_secs(5);

/// All of them. Dropping it without `stop` leaves them at work.
pub struct Couriers {
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
}

struct Running {
    version: i64,
    session: Session,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

type Team = HashMap<String, Running>;

struct Supervisor {
    office: Office,
    carrier: Arc<dyn Carrier>,
    teams: HashMap<InstanceId, Team>,
}

impl Couriers {
    /// Must be called within the runtime that shall carry them.
    pub fn start(office: Office, carrier: Arc<dyn Carrier>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let supervisor = Supervisor { office, carrier, teams: HashMap::new() };
        Self { stop, supervisor: tokio::spawn(supervisor.run(stopped)) }
    }

    /// Returns when every courier has noted how far it has come. A delivery under way is broken off, and comes again.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.supervisor.await;
    }
}

impl Supervisor {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut changed: Vec<_> = match self.office.instances_with_webhooks().await {
            Ok(instances) => instances,
            Err(error) => {
                tracing::error!(cause = %error.chain(), "webhooks cannot be read, none is sent");
                Vec::new()
            }
        };
        loop {
            for instance in changed {
                self.reconcile(&instance).await;
            }
            changed = tokio::select! {
                _ = stopped.changed() => break,
                changed = self.office.webhooks_changed() => changed.into_iter().collect(),
            };
        }
        // All are told before the first is waited for.
        let running: Vec<_> = self.teams.into_values().flat_map(HashMap::into_values).collect();
        for courier in &running {
            let _ = courier.stop.send(true);
        }
        for courier in running {
            let _ = courier.task.await;
        }
    }

    /// Those who should be at work are, and with the settings of now.
    async fn reconcile(&mut self, instance: &InstanceId) {
        let webhooks = self.office.webhooks(instance);
        let listed = match &webhooks {
            Ok(webhooks) => webhooks.list().await,
            Err(_) => Ok(Vec::new()),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                tracing::error!(%instance, cause = %error.chain(), "the webhooks of an instance cannot be read");
                return;
            }
        };
        let mut team = self.teams.remove(instance).unwrap_or_default();
        let is_current = |id: &String, running: &Running| {
            let same = |webhook: &&Webhook| webhook.id == *id && webhook.version == running.version;
            listed.iter().find(same).is_some_and(|webhook| webhook.state == WebhookState::Active)
        };
        for (id, running) in team.extract_if(|id, running| !is_current(id, running)) {
            // Its successor begins with what it has noted.
            let _ = running.stop.send(true);
            let _ = running.task.await;
            if !listed.iter().any(|webhook| webhook.id == id) {
                let _ = running.session.work_on_hook(HookWork::Forget { id }).await;
            }
        }
        if let Ok(webhooks) = webhooks {
            for webhook in listed {
                if webhook.state == WebhookState::Active && !team.contains_key(&webhook.id) {
                    let running = self.set_to_work(&webhooks, &webhook);
                    team.extend(running.map(|running| (webhook.id, running)));
                }
            }
        }
        if !team.is_empty() {
            self.teams.insert(instance.clone(), team);
        }
    }

    fn set_to_work(&self, webhooks: &Webhooks, webhook: &Webhook) -> Option<Running> {
        let (id, version) = (webhook.id.clone(), webhook.version);
        let courier = Courier::new(webhooks, webhook.clone(), Arc::clone(&self.carrier), retry::random);
        let courier = courier.inspect_err(
            |error| tracing::error!(webhook = id, cause = %error.chain(), "a webhook's secret cannot be read"),
        );
        let (stop, stopped) = watch::channel(false);
        let round = Round { courier: courier.ok()?, webhooks: webhooks.clone(), id, version, stopped };
        Some(Running { version, session: webhooks.session().clone(), stop, task: tokio::spawn(round.run()) })
    }
}

/// One courier at work.
struct Round {
    courier: Courier,
    webhooks: Webhooks,
    id: String,
    version: i64,
    stopped: watch::Receiver<bool>,
}

impl Round {
    async fn run(mut self) {
        let mut trouble = TROUBLE.0;
        let mut changes = self.webhooks.session().watch();
        loop {
            // Before the step: a commit that comes during it is seen after it.
            changes.borrow_and_update();
            let stepped = tokio::select! {
                biased;
                _ = self.stopped.changed() => break,
                stepped = self.courier.step(now()) => stepped,
            };
            let rest = async {
                match stepped.as_ref().map(|step| step.next) {
                    Ok(Next::Now) => {}
                    Ok(Next::At(at)) => sleep(span(now(), at).min(LONGEST_SLEEP)).await,
                    Ok(Next::OnChange) if self.courier.has_unnoted() => {
                        let _ = timeout(NOTED_AFTER, changes.changed()).await;
                    }
                    Ok(Next::OnChange) => drop(changes.changed().await),
                    Ok(Next::Gone) => {}
                    Err(_) => sleep(trouble).await,
                }
            };
            tokio::select! {
                _ = self.stopped.changed() => break,
                () = rest => {}
            }
            trouble = match &stepped {
                Ok(step) if step.next == Next::Gone => {
                    if self.resign().await.is_ok() {
                        break;
                    }
                    TROUBLE.0
                }
                Ok(_) => TROUBLE.0,
                Err(error) => {
                    self.complain(error);
                    (trouble * 2).min(TROUBLE.1)
                }
            };
        }
        let _ = timeout(LAST_NOTE, self.courier.note()).await;
    }

    async fn resign(&self) -> Result<()> {
        self.webhooks.disable(&self.id, self.version, "the receiver answered 410 Gone").await
    }

    fn complain(&self, error: &Error) {
        let instance = self.webhooks.session().id();
        tracing::warn!(%instance, webhook = self.id, outcome = error.word(), "a webhook's courier is held up");
    }
}

fn span(from: Moment, to: Moment) -> Duration {
    Duration::from_millis(to.millis().saturating_sub(from.millis()).try_into().unwrap_or(0))
}
