//! Making a Backup: it signs in at its Primary, joins it, and runs both synchronizations once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use userlock_core::{
    account::fold_case,
    agent_api::ServerAddress,
    api::{RunState, RunView, ServerRole, SyncKind},
    settings::{OwnSettings, PrimaryAddress, Synchronization},
    sync::{JoinRequest, JoinResponse, PROTOCOL_VERSION},
};

use super::{Failure, Field, Leftover, Place, Step, Typed};
use crate::{
    clock,
    config::Config,
    log::{Journal, SystemLog, SystemLogPaths},
    store::product::ProductStore,
    sync::{Client, SyncError, Synchronizer},
    zone::{self, Genesis, StoredPeer, Zone},
};

/// The first synchronization of a large zone takes a while.
const FIRST_RUN: Duration = Duration::from_secs(3600);
/// How often its progress is told.
const LOOK: Duration = Duration::from_millis(200);

/// A Backup to be.
#[derive(Clone)]
pub struct NewBackup {
    /// What of it is on the disk already.
    pub leftover: Leftover,
    /// Its name.
    pub name: String,
    /// Where it will be reached.
    pub address: ServerAddress,
    /// The Primary.
    pub primary: ServerAddress,
    /// The service account.
    pub account: String,
    /// Its password; not kept.
    pub password: String,
    /// Whether it takes the place of the Backup that the zone has.
    pub replace: bool,
}

/// What the Primary is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Whether this server could join.
    Check,
    /// To take this server as its Backup.
    Join,
}

impl NewBackup {
    async fn ask(&self, asked: Asked) -> Result<JoinResponse, Failure> {
        let request = JoinRequest {
            account: self.account.clone(),
            password: self.password.clone(),
            server_id: self.leftover.server_id,
            server_name: self.name.clone(),
            address: self.address.clone(),
            protocol_version: PROTOCOL_VERSION,
            version: crate::VERSION.to_owned(),
            clock: clock::now_ms(),
            check_only: asked == Asked::Check,
            replace: self.replace,
        };
        let failed = |error: SyncError| Failure::of_primary(&error, &self.primary.url, &self.account);
        Client::new(&self.primary, String::new()).map_err(failed)?.join(&request).await.map_err(failed)
    }
}

/// Signs in at the Primary and asks whether this server could join. Nothing changes there.
///
/// # Errors
/// [`Failure`].
pub async fn check(new: &NewBackup) -> Result<JoinResponse, Failure> {
    let checked = new.ask(Asked::Check).await?;
    if let Some((zone_id, zone_name)) = &new.leftover.zone
        && *zone_id != checked.zone_id
    {
        return Err(other_zone(zone_name, &checked.zone_name));
    }
    if fold_case(&checked.server_name) == fold_case(&new.name) {
        return Err(name_taken(&checked.server_name));
    }
    Ok(checked)
}

/// This server has joined another zone in a set-up that was not finished.
pub fn other_zone(joined: &str, other: &str) -> Failure {
    let what = format!(
        "This server has joined the zone {joined} in a set-up that was not finished; the server at this address is the \
         Primary of the zone {other}"
    );
    let advice = format!(
        "Give the address of the Primary of {joined}; or forget that set-up, and remove this Backup on that Primary."
    );
    let failure = Failure::of_check("other_zone", "same zone", what, advice);
    Failure { step: Step::ServerType, field: Some(Field::Primary), ..failure }
}

/// Both servers would have one name.
pub fn name_taken(name: &str) -> Failure {
    let failure = Failure::of_check("name_taken", "name", format!("The Primary is called {name} too"), "");
    Failure { step: Step::Zone, field: Some(Field::Name), ..failure }.advise("Give this server another name.")
}

/// Joins. From now on the Primary counts this server as its Backup, which is noted in the data directory first.
///
/// # Errors
/// [`Failure`].
pub async fn join(place: &Place, new: &NewBackup, zone: &JoinResponse) -> Result<JoinResponse, Failure> {
    let zone = Some((zone.zone_id, zone.zone_name.clone()));
    Leftover { zone, ..new.leftover.clone() }.write(&place.dir)?;
    new.ask(Asked::Join).await
}

/// Writes down what the Primary told.
///
/// # Errors
/// [`Failure`].
pub async fn take_up(place: &Place, new: &NewBackup, joined: &JoinResponse) -> Result<(), Failure> {
    let failed = |error: SyncError| Failure::of_primary(&error, &new.primary.url, &new.account);
    let settings = Client::new(&new.primary, joined.token.clone()).map_err(failed)?.settings().await.map_err(failed)?;
    let address = PrimaryAddress { url: new.primary.url.clone(), fingerprint: new.primary.fingerprint.clone() };
    let genesis = Genesis {
        server_id: new.leftover.server_id,
        zone_id: joined.zone_id,
        role: ServerRole::Backup,
        epoch: joined.epoch,
        settings,
        own: OwnSettings {
            revision: 1,
            synchronization: Some(Synchronization::of(address, new.account.clone())),
            ..OwnSettings::default()
        },
        peer: Some(StoredPeer {
            server_id: joined.server_id,
            name: joined.server_name.clone(),
            address: new.primary.clone(),
            account: new.account.clone(),
            token_hash: String::new(),
            told_under: None,
            token: Some(joined.token.clone()),
        }),
    };
    // Of an attempt that was cut off.
    place.remove_state();
    Ok(zone::create(&place.dir, &genesis).await?)
}

/// Runs both synchronizations once, and finishes the set-up. `progress` is told how far each is.
///
/// # Errors
/// [`Failure`]. It can be called again.
pub async fn synchronize(
    place: &Place,
    config: &Config,
    address: &ServerAddress,
    progress: &(dyn Fn(&RunView) + Send + Sync),
) -> Result<(), Failure> {
    let product = ProductStore::open(&place.dir).await?;
    let system = SystemLog::find(&config.log, &SystemLogPaths::default());
    let (journal, journal_task) = Journal::start(product.clone(), system);
    let (zone, writer, notes) = zone::open(&place.dir, config.name.clone(), address.clone()).await?;
    let done = both(&zone, &journal, progress).await;
    zone.stop().await;
    // A writer that panicked has ended too.
    _ = writer.await;
    zone.store().close().await;
    let primary = zone.stored_peer().map(|peer| peer.address.url).unwrap_or_default();
    drop((zone, notes));
    journal.flush().await;
    drop(journal);
    journal_task.await?;
    product.close().await;
    done?;
    place.note(config, address, ServerRole::Backup, &format!(" of {primary}")).await?;
    Typed::remove(&place.dir)?;
    Leftover::remove(&place.dir)
}

async fn both(zone: &Zone, journal: &Journal, progress: &(dyn Fn(&RunView) + Send + Sync)) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let sync = Synchronizer::new(zone.clone(), journal.clone(), stop.clone());
    let mut done = first_run(&sync, SyncKind::Sessions, progress).await;
    if done.is_ok() {
        done = first_run(&sync, SyncKind::Events, progress).await;
    }
    stop.cancel();
    sync.stopped().await;
    done
}

async fn first_run(
    sync: &Synchronizer,
    kind: SyncKind,
    progress: &(dyn Fn(&RunView) + Send + Sync),
) -> Result<(), Failure> {
    let failed = |what: String, advice: &str| Err(Failure::of_finish("synchronization_failed", what, advice));
    let started = sync.begin(kind, false, "set-up");
    let end = tokio::time::Instant::now() + FIRST_RUN;
    while tokio::time::Instant::now() < end {
        let Some(view) = sync.wait(started.run, LOOK).await else { break };
        progress(&view);
        match (view.state, &view.error) {
            (RunState::Running, _) => {}
            (RunState::Succeeded, _) => return Ok(()),
            (_, Some(error)) => {
                let message = error.message.trim_end_matches('.');
                let what = format!("The first synchronization failed: {message}, while {}", error.stage);
                return failed(what, &error.advice);
            }
            _ => break,
        }
    }
    failed("The first synchronization did not end in time".to_owned(), "Try again.")
}
