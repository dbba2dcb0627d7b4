//! Writes the application log without making anybody wait for it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use userlock_core::api::{Level, LogEvent};

use super::{Kind, SOURCE, SystemLog, catalogue, one_line};
use crate::{clock, store::product::ProductStore};

/// Events that wait to be written; more are dropped and counted.
const WAITING: usize = 4096;
/// The most events in one transaction.
const BATCH: usize = 256;
/// The longest message or detail, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// The most details of an event.
const MAX_DETAILS: usize = 32;
/// How often old events are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// The details of an event: both servers, operation, stage, address, status or error, retry time, position.
pub type Details = BTreeMap<String, String>;

/// Details from pairs.
pub fn details<const N: usize>(pairs: [(&str, &dyn std::fmt::Display); N]) -> Details {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

enum Message {
    Event(LogEvent),
    Flush(oneshot::Sender<()>),
}

/// Where events of the product are recorded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dropped: AtomicU64,
    /// By level: information, warning, error.
    written: [AtomicU64; 3],
    retention_days: AtomicU32,
}

/// The task that writes.
pub type JournalTask = JoinHandle<()>;

impl Journal {
    /// Starts to write. The task ends when the last clone of the journal is gone.
    #[must_use]
    pub fn start(store: ProductStore, system: SystemLog) -> (Self, JournalTask) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared {
            dropped: AtomicU64::new(0),
            written: Default::default(),
            retention_days: AtomicU32::new(90),
        });
        let task = tokio::spawn(write_all(receiver, store, system, Arc::clone(&shared)));
        (Self { sender, shared }, task)
    }

    /// Records an event. Never waits.
    pub fn record(&self, kind: Kind, message: impl Into<String>, details: Details) {
        let message = cut(message.into());
        tell_tracing(kind, &message, &details);
        let details = details.into_iter().take(MAX_DETAILS).map(|(name, value)| (cut(name), cut(value))).collect();
        let event = LogEvent {
            number: 0,
            id: kind.id,
            source: SOURCE.to_owned(),
            level: kind.level,
            at: clock::now_ms(),
            message,
            details,
        };
        if let Some(count) = self.shared.written.get(level_number(kind.level)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if self.sender.try_send(Message::Event(event)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all that was recorded before is in the table.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.sender.send(Message::Flush(done)).await.is_ok() {
            // The task has gone if this fails; then there is nothing left to wait for.
            let _ = wait.await;
        }
    }

    /// Counts events that could not even be handed over.
    pub fn missed(&self, count: u64) {
        self.shared.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// For how many days events are kept.
    pub fn keep_days(&self, days: u32) {
        self.shared.retention_days.store(days, Ordering::Relaxed);
    }

    /// How many events were recorded since the start: information, warnings, errors.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        self.shared.written.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

fn level_number(level: Level) -> usize {
    match level {
        Level::Information => 0,
        Level::Warning => 1,
        Level::Error => 2,
    }
}

fn tell_tracing(kind: Kind, message: &str, details: &Details) {
    let message = one_line(message);
    match kind.level {
        Level::Information => tracing::info!(event.id = kind.id, ?details, "{message}"),
        Level::Warning => tracing::warn!(event.id = kind.id, ?details, "{message}"),
        Level::Error => tracing::error!(event.id = kind.id, ?details, "{message}"),
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

async fn write_all(mut receiver: mpsc::Receiver<Message>, store: ProductStore, system: SystemLog, shared: Arc<Shared>) {
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    prune.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = receiver.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return;
                }
                write_batch(&mut batch, &store, &system, &shared).await;
            }
            _ = prune.tick() => {
                let days = i64::from(shared.retention_days.load(Ordering::Relaxed));
                let before = clock::now_ms() - days * 24 * 3600 * 1000;
                if let Err(error) = store.prune_log(before).await {
                    tracing::warn!(%error, "cannot remove old events of the application log");
                }
            }
        }
    }
}

async fn write_batch(batch: &mut Vec<Message>, store: &ProductStore, system: &SystemLog, shared: &Shared) {
    let mut events = Vec::with_capacity(batch.len());
    let mut waiting = Vec::new();
    for message in batch.drain(..) {
        match message {
            Message::Event(event) => events.push(event),
            Message::Flush(done) => waiting.push(done),
        }
    }
    let dropped = shared.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        let kind = catalogue::LOG_DROPPED;
        events.push(LogEvent {
            number: 0,
            id: kind.id,
            source: SOURCE.to_owned(),
            level: kind.level,
            at: clock::now_ms(),
            message: format!("{dropped} events of the application log were dropped"),
            details: details([("dropped", &dropped)]),
        });
    }
    for event in &events {
        system.send(event);
    }
    if let Err(error) = store.write_log(&events).await {
        // The events are in the system's log and on standard error; there is no other place for them.
        tracing::error!(%error, events = events.len(), "the application log cannot be written");
    }
    for done in waiting {
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::*;

    /// What standard error would have.
    #[derive(Debug, Clone, Default)]
    struct Said(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn whoever_is_told_of_begins_no_line_of_standard_error() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProductStore::open(dir.path()).await.unwrap();
        let (journal, _task) = Journal::start(store, SystemLog::None);
        let said = Said::default();
        let writer = said.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let name = "x\n2025-01-01T00:00:00Z ERROR forged\r\u{1b}[2J";
        tracing::subscriber::with_default(subscriber, || {
            journal.record(
                catalogue::SIGN_IN_FAILED,
                format!("A sign-in as {name} failed"),
                details([("name", &name)]),
            );
        });
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("A sign-in as x 2025-01-01T00:00:00Z ERROR forged") && said.ends_with('\n'), "{said}");
        assert!(!said.trim_end().contains(char::is_control), "{said:?}");
    }
}
