//! How a certificate of this server is replaced: the next one is announced to the other server and to the agents, which
//! trust both from then on, and it is used when all of them have said so.

use std::time::Duration;

use userlock_core::{
    agent_api::ServerAddress,
    api::{CertificateView, CertificatesView, ServerRole},
    sync::AgentCounts,
};

use crate::{
    clock,
    http::state::App,
    log::{Episode, catalogue, details},
    tls::{Certificates, KeeperError, Known},
    zone::{Zone, monotonic_ms},
};

/// From one look at who knows the next certificate to the next.
const EVERY: Duration = Duration::from_secs(2);
/// The files that the configuration names are looked at each so many times.
const FILES_EACH: u32 = 5;
/// A certificate that ends within so many ms is warned of: 30 days.
const ENDS_MS: i64 = 30 * 86_400_000;

/// How this server is known: its address, its certificate, and the next one.
#[must_use]
pub fn address(url: &str, certificates: Option<&Certificates>) -> ServerAddress {
    let fingerprint = certificates.map(|c| c.present().fingerprint).unwrap_or_default();
    let next = certificates.and_then(Certificates::next).map(|next| next.fingerprint);
    ServerAddress { next, ..ServerAddress::new(url, fingerprint) }
}

/// Who knows the newest certificate of this server.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spread {
    in_touch: u64,
    lacking: u64,
    silent: u64,
    waits_for: Vec<String>,
}

impl Spread {
    fn of(zone: &Zone) -> Self {
        let (role, own, total, seconds) = zone.read(|server| {
            let seconds = server.settings.settings.agents.unconfirmed_after_seconds;
            (server.identity.role, server.identity.address.clone(), server.state.agents.active(), seconds)
        });
        let lacking = |counts: &AgentCounts| match role {
            ServerRole::Primary => counts.lack_primary,
            ServerRole::Backup => counts.lack_backup,
        };
        let stored = zone.stored_peer();
        let here = zone.agent_counts(u64::from(seconds) * 1000, monotonic_ms());
        let mut spread = Self { in_touch: here.in_touch, lacking: lacking(&here), ..Self::default() };
        if let Some(stored) = &stored {
            let peer = zone.peer();
            let hello = peer.hello().filter(|_| peer.in_contact(monotonic_ms()));
            let there = hello.map(|hello| hello.agents).unwrap_or_default();
            spread.in_touch = spread.in_touch.max(there.in_touch);
            let knows = hello.and_then(|hello| hello.knows.as_ref()).is_some_and(|known| known.trusts_newest_of(&own));
            match (hello.is_some(), knows) {
                (false, _) => spread.waits_for.push(format!("{} does not answer", stored.name)),
                (true, false) => spread.waits_for.push(format!("{} has not said yet that it knows it", stored.name)),
                // What it counts by is what it knows.
                (true, true) => spread.lacking += lacking(&there),
            }
        }
        match spread.lacking {
            0 => {}
            1 => spread.waits_for.push("1 machine in touch does not know it yet".to_owned()),
            n => spread.waits_for.push(format!("{n} machines in touch do not know it yet")),
        }
        spread.silent = (total as u64).saturating_sub(spread.in_touch);
        spread
    }
}

fn view_of(known: Known) -> CertificateView {
    let Known { fingerprint, facts, since, given } = known;
    CertificateView {
        fingerprint,
        names: facts.names,
        issuer: facts.issuer,
        self_signed: facts.self_signed,
        not_before: facts.not_before,
        not_after: facts.not_after,
        since,
        from_files: given,
    }
}

/// The certificates of a server, and who knows them.
#[must_use]
pub fn view(zone: &Zone, certificates: &Certificates) -> CertificatesView {
    let next = certificates.next();
    let Spread { in_touch, lacking, silent, waits_for } = Spread::of(zone);
    CertificatesView {
        present: view_of(certificates.present()),
        waits_for: if next.is_some() { waits_for } else { Vec::new() },
        next: next.map(view_of),
        has_files: certificates.has_files(),
        agents_in_touch: in_touch,
        agents_lacking: lacking,
        agents_silent: silent,
    }
}

impl App {
    /// Tells agents and the other server, from the next hello on, by which certificates this one is known.
    pub(crate) fn announce(&self, certificates: &Certificates) {
        self.zone.announce(address(&self.public_url, Some(certificates)));
    }

    /// Uses the next certificate, for `by`, and tells of it.
    ///
    /// # Errors
    /// [`KeeperError`]; then the one in use stays.
    pub(crate) async fn replace_certificate(
        &self,
        certificates: &Certificates,
        next: String,
        by: &str,
        reason: &str,
    ) -> Result<(), KeeperError> {
        let before = certificates.present().fingerprint;
        let now = blocking(certificates, move |all| all.replace(&next)).await?;
        self.announce(certificates);
        let more = details([("by", &by), ("fingerprint", &now.fingerprint), ("before", &before), ("reason", &reason)]);
        let message =
            format!("The certificate of this server was replaced: it is known by sha256 {} now.", now.fingerprint);
        self.journal.record(catalogue::CERTIFICATE_REPLACED, message, more);
        Ok(())
    }
}

/// Does what touches the disk where that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    certificates: &Certificates,
    work: impl FnOnce(&Certificates) -> Result<T, KeeperError> + Send + 'static,
) -> Result<T, KeeperError> {
    let certificates = certificates.clone();
    let done = tokio::task::spawn_blocking(move || work(&certificates)).await;
    done.unwrap_or_else(|error| {
        let source = std::io::Error::other(error);
        Err(crate::tls::TlsError::File { path: crate::tls::FILE.into(), source }.into())
    })
}

/// Looks after the certificates until the server stops: what is put into the files that the configuration names is
/// announced, and used when everybody knows it; one that ends is warned of.
pub async fn watch(app: App) {
    let Some(certificates) = app.certificates.clone() else { return };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut files, mut end, mut use_it) = (Episode::default(), Episode::default(), Episode::default());
    for tick in 0_u32.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.stop.cancelled() => return,
        }
        if certificates.has_files() && tick % FILES_EACH == 0 {
            look_at_files(&app, &certificates, &mut files).await;
        }
        if let Some(next) = certificates.next().filter(|next| next.given)
            && Spread::of(&app.zone).waits_for.is_empty()
        {
            let reason = "the files that the configuration names have it, and everybody knows it";
            match app.replace_certificate(&certificates, next.fingerprint, "UserLock", reason).await {
                Ok(()) => use_it = Episode::default(),
                Err(error) => unusable(&app, &mut use_it, &error),
            }
        }
        warn_of_end(&app, &certificates, &mut end);
    }
}

async fn look_at_files(app: &App, certificates: &Certificates, episode: &mut Episode) {
    match blocking(certificates, Certificates::look_at_files).await {
        Ok(found) => {
            app.announce(certificates);
            let message = "The certificate's files that the configuration names can be used.";
            episode.heal(&app.journal, catalogue::CERTIFICATE_FILES_GOOD, message, details([]));
            if let Some(next) = found {
                let message = format!(
                    "The files that the configuration names have another certificate, sha256 {}. It is announced, and used as soon as the other server and the machines in touch know it.",
                    next.fingerprint
                );
                let more = details([("by", &"UserLock"), ("fingerprint", &next.fingerprint)]);
                app.journal.record(catalogue::CERTIFICATE_PREPARED, message, more);
            }
        }
        Err(error) => unusable(app, episode, &error),
    }
}

fn unusable(app: &App, episode: &mut Episode, error: &KeeperError) {
    let message = format!("The next certificate cannot be used: {error}. The one in use stays.");
    let cause = error.to_string();
    let more = details([("error", &cause)]);
    episode.fail(&app.journal, catalogue::CERTIFICATE_UNUSABLE, &cause, message, more);
}

fn warn_of_end(app: &App, certificates: &Certificates, episode: &mut Episode) {
    let present = certificates.present();
    let Some(end) = ends_soon(&present, clock::now_ms()) else {
        *episode = Episode::default();
        return;
    };
    let message = format!(
        "The certificate of this server ends on {end}. Browsers refuse it then; agents and the other server do not look at dates."
    );
    let more = details([("fingerprint", &present.fingerprint), ("not_after", &end)]);
    episode.fail(&app.journal, catalogue::CERTIFICATE_ENDS, &present.fingerprint, message, more);
}

/// The day on which a certificate ends, where that is near or past.
pub(crate) fn ends_soon(known: &Known, now: i64) -> Option<String> {
    let end = known.facts.not_after.filter(|end| end.saturating_sub(now) < ENDS_MS)?;
    let end = chrono::DateTime::from_timestamp_millis(end)?;
    Some(end.format("%Y-%m-%d").to_string())
}
