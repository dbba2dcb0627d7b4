//! How a certificate of this server is replaced: the next one is announced to the other server and to the agents, which
//! trust both from then on, and it is used when all of them have said so.

mod spread;

use std::time::Duration;

use userlock_core::{
    agent_api::ServerAddress,
    api::{CertificateView, CertificatesView},
};

use crate::{
    clock,
    http::state::App,
    log::{Details, Episode, Kind, catalogue, details},
    tls::{Certificates, KeeperError, Known, TakenUp},
};
use spread::Spread;

/// From one look at who knows the next certificate to the next.
const EVERY: Duration = Duration::from_secs(2);
/// The files that the configuration names are looked at each so many times.
const FILES_EACH: u32 = 5;
/// A certificate that ends within so many ms is warned of: 30 days.
const ENDS_MS: i64 = 30 * 86_400_000;

/// How this server is known: its address, its certificate, and the next one.
#[must_use]
pub fn address(url: &str, certificates: Option<&Certificates>) -> ServerAddress {
    certificates.map_or_else(|| ServerAddress::new(url, ""), |certificates| certificates.address(url))
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

impl App {
    /// The certificates, and who knows them.
    pub(crate) fn certificates_now(&self, certificates: &Certificates) -> CertificatesView {
        let next = certificates.next();
        let spread = Spread::of(&self.zone, &certificates.address(&self.public_url));
        CertificatesView {
            present: view_of(certificates.present()),
            waits_for: if next.is_some() { spread.waits_for } else { Vec::new() },
            next: next.map(view_of),
            has_files: certificates.has_files(),
            has_peer: spread.has_peer,
            agents_in_touch: spread.in_touch,
            agents_lacking: spread.lacking,
            agents_silent: spread.silent,
        }
    }

    /// Changes the certificates, tells agents and the other server of it from the next hello on, and writes it to the
    /// application log: all of it, also when whoever asked goes away meanwhile.
    ///
    /// # Errors
    /// [`KeeperError`]; then nothing was changed.
    pub(crate) async fn change_certificates<T: Send + 'static, E: IntoIterator<Item = (Kind, String, Details)>>(
        &self,
        certificates: &Certificates,
        work: impl FnOnce(&Certificates) -> Result<T, KeeperError> + Send + 'static,
        tell: impl FnOnce(&T) -> E + Send + 'static,
    ) -> Result<T, KeeperError> {
        let (app, certificates) = (self.clone(), certificates.clone());
        let change = tokio::spawn(async move {
            let _turn = certificates.turn().lock().await;
            let keeper = certificates.clone();
            let done = tokio::task::spawn_blocking(move || work(&keeper)).await.unwrap_or(Err(KeeperError::CutOff));
            // What went wrong half-way is told as it is, too.
            app.zone.announce(certificates.address(&app.public_url));
            for (kind, message, more) in done.as_ref().ok().map(tell).into_iter().flatten() {
                app.journal.record(kind, message, more);
            }
            done
        });
        change.await.unwrap_or(Err(KeeperError::CutOff))
    }

    /// Uses the next certificate, if it is the one with this fingerprint, for `by`.
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
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let tell = move |[before, now]: &[String; 2]| {
            let more = details([("by", &by), ("fingerprint", now), ("before", before), ("reason", &reason)]);
            let message = format!("The certificate of this server was replaced: it is known by sha256 {now} now.");
            Some((catalogue::CERTIFICATE_REPLACED, message, more))
        };
        self.change_certificates(certificates, move |all| all.replace(&next), tell).await.map(drop)
    }
}

/// Looks after the certificates until the server stops: what is put into the files that the configuration names is
/// announced, and used when everybody knows it; one that ends is warned of.
pub async fn watch(app: App) {
    let Some(certificates) = app.certificates.clone() else { return };
    tokio::select! {
        () = look_after(&app, &certificates) => {}
        () = app.stop.cancelled() => {}
    }
}

async fn look_after(app: &App, certificates: &Certificates) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut files, mut end, mut use_it) = (Episode::default(), Episode::default(), Episode::default());
    for tick in 0_u32.. {
        ticks.tick().await;
        if certificates.has_files() && tick % FILES_EACH == 0 {
            match look_at_files(app, certificates).await {
                Ok(()) => good(app, &mut files, "The certificate's files that the configuration names can be used."),
                Err(error) => unusable(app, &mut files, &error),
            }
        }
        let next = certificates.next().filter(|next| next.given);
        if next.is_none() {
            // The cause has gone with it, and is told again if it comes back.
            use_it = Episode::default();
        }
        if let Some(next) = next
            && Spread::of(&app.zone, &certificates.address(&app.public_url)).waits_for.is_empty()
        {
            let reason = "the files that the configuration names have it, and everybody knows it";
            match app.replace_certificate(certificates, next.fingerprint, "UserLock", reason).await {
                Ok(()) => {
                    good(app, &mut use_it, "The certificate in the files that the configuration names is in use.")
                }
                Err(error) => unusable(app, &mut use_it, &error),
            }
        }
        warn_of_end(app, certificates, &mut end);
    }
}

async fn look_at_files(app: &App, certificates: &Certificates) -> Result<(), KeeperError> {
    let Some(found) = certificates.read_files().await? else { return Ok(()) };
    let tell = |taken: &TakenUp| {
        let event = |kind, message, fingerprint: &String| {
            (kind, message, details([("by", &"UserLock"), ("fingerprint", fingerprint)]))
        };
        let dropped = taken.dropped.as_ref().map(|dropped| {
            let message = format!(
                "The next certificate of this server, sha256 {dropped}, is given up: the files that the configuration names have another one now."
            );
            event(catalogue::CERTIFICATE_DISCARDED, message, dropped)
        });
        let next = taken.next.as_ref().map(|next| {
            let message = format!(
                "The files that the configuration names have another certificate, sha256 {}. It is announced, and used as soon as everybody knows it; Properties > Certificate says who does not.",
                next.fingerprint
            );
            event(catalogue::CERTIFICATE_PREPARED, message, &next.fingerprint)
        });
        dropped.into_iter().chain(next).collect::<Vec<_>>()
    };
    app.change_certificates(certificates, move |all| all.take_up(&found), tell).await.map(drop)
}

fn good(app: &App, episode: &mut Episode, message: &str) {
    episode.heal(&app.journal, catalogue::CERTIFICATE_FILES_GOOD, message, details([]));
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
fn ends_soon(known: &Known, now: i64) -> Option<String> {
    let end = known.facts.not_after.filter(|end| end.saturating_sub(now) < ENDS_MS)?;
    let end = chrono::DateTime::from_timestamp_millis(end)?;
    Some(end.format("%Y-%m-%d").to_string())
}
