//! The companions at work: a task for each, woken by changes of its book, by the clock and by whoever asks. Setting and
//! removing a companion happens here, so that the settings, the book's outbox and the task follow one another.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use dashmap::DashMap;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{Health, NoCompanion, Pulled, waha::Waha, worker::Worker};
use crate::{
    book::SyncAct,
    domain::{InstanceId, Moment, Result},
    gateway::{CompanionSettings, Gateway, Linkage, now},
    session::Session,
    sync::Outside,
};

/// After a change: others often follow, and are then told together.
const GATHER: Duration = Duration::from_millis(100);
/// Between the first looks of many companions at the start.
const STAGGER: Duration = Duration::from_millis(20);

pub struct Companions {
    gateway: Arc<Gateway>,
    outside: Arc<Outside>,
    runtime: Handle,
    running: DashMap<InstanceId, Running>,
    /// One at a time.
    settling: tokio::sync::Mutex<()>,
}

struct Running {
    commands: mpsc::Sender<Command>,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
}

enum Command {
    Pull(oneshot::Sender<Pulled>),
    /// Something is to be told that no change of the book announced.
    Wake,
}

impl Companions {
    pub fn new(gateway: Arc<Gateway>, outside: Arc<Outside>, runtime: Handle) -> Arc<Self> {
        Arc::new(Self { gateway, outside, runtime, running: DashMap::new(), settling: tokio::sync::Mutex::default() })
    }

    /// Sets all to work that are settled.
    pub async fn start(&self) -> Result<()> {
        let _one_at_a_time = self.settling.lock().await;
        let mut delay = Duration::ZERO;
        for (session, settings) in self.gateway.companions().await? {
            if !self.running.contains_key(session.id()) {
                self.set_to_work(session, &settings, delay);
                delay += STAGGER;
            }
        }
        Ok(())
    }

    pub async fn stop(&self) {
        let _one_at_a_time = self.settling.lock().await;
        let ids: Vec<_> = self.running.iter().map(|running| running.key().clone()).collect();
        for id in ids {
            self.end(&id).await;
        }
    }

    /// Links another companion, or none. What is known of the last one holds if it is the same one with other settings.
    pub async fn settle(&self, linkage: &Linkage, settings: Option<&CompanionSettings>) -> Result<()> {
        let _one_at_a_time = self.settling.lock().await;
        let session = linkage.session();
        self.end(session.id()).await;
        match settings {
            Some(settings) => {
                // In this order: if we are killed in between, the task links the book at the next start.
                linkage.set(settings).await?;
                session.edit_sync(SyncAct::Link(Some(settings.target()))).await?;
                self.set_to_work(session.clone(), settings, Duration::ZERO);
            }
            None => {
                session.edit_sync(SyncAct::Link(None)).await?;
                linkage.remove().await?;
            }
        }
        Ok(())
    }

    /// For an instance that is no more.
    pub async fn forget(&self, id: &InstanceId) {
        let _one_at_a_time = self.settling.lock().await;
        self.end(id).await;
    }

    /// None when the instance has no companion at work.
    pub fn health(&self, id: &InstanceId) -> Option<Health> {
        let running = self.running.get(id)?;
        Some(running.health.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Looks at the companion's contacts now.
    pub async fn pull(&self, session: &Session) -> Pulled {
        let (answer, answered) = oneshot::channel();
        match self.commands(session.id()) {
            Some(commands) => {
                let stopped = Pulled { error: Some("stopped"), ..Pulled::default() };
                if commands.send(Command::Pull(answer)).await.is_err() {
                    return stopped;
                }
                answered.await.unwrap_or(stopped)
            }
            None => Worker::new(session.clone(), None, Box::new(NoCompanion), 1, Duration::MAX).pull(now()).await,
        }
    }

    /// What the companion refused is told again; how many names that are.
    pub async fn retry(&self, session: &Session) -> Result<usize> {
        let count = session.edit_sync(SyncAct::Retry).await?;
        if let Some(commands) = self.commands(session.id()) {
            // If nobody has room for it, somebody is awake.
            let _ = commands.try_send(Command::Wake);
        }
        Ok(count)
    }

    fn commands(&self, id: &InstanceId) -> Option<mpsc::Sender<Command>> {
        self.running.get(id).map(|running| running.commands.clone())
    }

    fn set_to_work(&self, session: Session, settings: &CompanionSettings, delay: Duration) {
        let id = session.id().clone();
        let companion = match Waha::new(settings, Arc::clone(&self.outside)) {
            Ok(waha) => Box::new(waha),
            Err(trouble) => {
                tracing::error!(instance = %id, outcome = trouble.word, "no client for a companion");
                return;
            }
        };
        let worker = Worker::new(session, Some(settings.target()), companion, settings.pace, settings.pull_every);
        let (commands, received) = mpsc::channel(16);
        let health = Arc::clone(worker.health());
        let task = self.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            run(worker, received).await;
        });
        self.running.insert(id, Running { commands, health, task });
    }

    /// What was under way is done again by the next one: nothing is noted before the companion answered.
    async fn end(&self, id: &InstanceId) {
        if let Some((_, running)) = self.running.remove(id) {
            running.task.abort();
            let _ = running.task.await;
        }
    }
}

async fn run(mut worker: Worker, mut commands: mpsc::Receiver<Command>) {
    let mut changed = worker.session().watch();
    loop {
        let wake_at = worker.step(now()).await;
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Pull(answer)) => {
                    worker.take_heart();
                    let _ = answer.send(worker.pull(now()).await);
                }
                Some(Command::Wake) => worker.take_heart(),
                None => return,
            },
            Ok(()) = changed.changed() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(until(wake_at)) => {}
        }
    }
}

fn until(at: Moment) -> Duration {
    let millis = at.millis().saturating_sub(now().millis());
    // Rounded up to what the clock can tell, and no longer than the clock can be trusted.
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(Duration::from_secs(3600))
}
