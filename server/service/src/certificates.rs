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
    log::{Details, Episode, Kind, catalogue, details},
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
    certificates.map_or_else(|| ServerAddress::new(url, ""), |certificates| certificates.address(url))
}

/// Who knows the newest certificate of this server.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spread {
    in_touch: u64,
    lacking: u64,
    silent: u64,
    /// Whether there is another server, from which those that are silent learn it.
    has_peer: bool,
    waits_for: Vec<String>,
}

impl Spread {
    /// `own` is how this server is known, the announced certificate included.
    fn of(zone: &Zone, own: &ServerAddress) -> Self {
        let (role, total, seconds) = zone.read(|server| {
            let seconds = server.settings.settings.agents.unconfirmed_after_seconds;
            (server.identity.role, server.state.agents.active() as u64, u64::from(seconds))
        });
        let lacking = |counts: &AgentCounts| match role {
            ServerRole::Primary => counts.lack_primary,
            ServerRole::Backup => counts.lack_backup,
        };
        let now = monotonic_ms();
        let (here, known_here, just_started) = {
            let contacts = zone.contacts();
            let newest = match role {
                ServerRole::Primary => [own.newest(), ""],
                ServerRole::Backup => ["", own.newest()],
            };
            (
                contacts.counts(seconds * 1000, now, newest),
                contacts.greeted(),
                contacts.just_started(seconds * 1000, now),
            )
        };
        let stored = zone.stored_peer();
        let mut spread =
            Self { in_touch: here.in_touch, lacking: lacking(&here), has_peer: stored.is_some(), ..Self::default() };
        let mut there = AgentCounts::default();
        if let Some(stored) = &stored {
            let peer = zone.peer();
            let hello = peer.hello().filter(|_| peer.in_contact(now));
            there = hello.map(|hello| hello.agents).unwrap_or_default();
            spread.in_touch = spread.in_touch.max(there.in_touch);
            let knows = hello.and_then(|hello| hello.knows.as_ref()).is_some_and(|known| known.trusts_newest_of(own));
            match (hello.is_some(), knows) {
                (false, _) => spread.waits_for.push(format!("{} does not answer", stored.name)),
                (true, false) => spread.waits_for.push(format!("{} has not said yet that it knows it", stored.name)),
                // What it counts by is what it knows.
                (true, true) => spread.lacking += lacking(&there),
            }
        }
        let machines = |n: u64, one: &str, many: &str| match n {
            1 => format!("1 machine {one}"),
            n => format!("{n} machines {many}"),
        };
        if spread.lacking > 0 {
            let lack = machines(spread.lacking, "in touch does not know it yet", "in touch do not know it yet");
            spread.waits_for.push(lack);
        }
        spread.silent = total.saturating_sub(spread.in_touch);
        // After a start nobody has said anything yet: that is not to be taken for silence.
        let unheard = total.saturating_sub(known_here + there.in_touch);
        if just_started && unheard > 0 {
            let what = "not been heard of since this server started";
            spread.waits_for.push(machines(unheard, &format!("has {what}"), &format!("have {what}")));
        } else if !spread.has_peer && spread.silent > 0 {
            let never = "and could not learn it from another server";
            spread.waits_for.push(machines(
                spread.silent,
                &format!("is silent {never}"),
                &format!("are silent {never}"),
            ));
        }
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
    pub(crate) async fn change_certificates<T: Send + 'static>(
        &self,
        certificates: &Certificates,
        work: impl FnOnce(&Certificates) -> Result<T, KeeperError> + Send + 'static,
        tell: impl FnOnce(&T) -> Option<(Kind, String, Details)> + Send + 'static,
    ) -> Result<T, KeeperError> {
        let (app, certificates) = (self.clone(), certificates.clone());
        let change = tokio::spawn(async move {
            let _turn = certificates.turn().lock().await;
            let keeper = certificates.clone();
            let done = tokio::task::spawn_blocking(move || work(&keeper)).await.unwrap_or(Err(KeeperError::CutOff));
            // What went wrong half-way is told as it is, too.
            app.zone.announce(certificates.address(&app.public_url));
            if let Some((kind, message, more)) = done.as_ref().ok().and_then(tell) {
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
        if let Some(next) = certificates.next().filter(|next| next.given)
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
    let tell = |next: &Option<Known>| {
        let next = next.as_ref()?;
        let message = format!(
            "The files that the configuration names have another certificate, sha256 {}. It is announced, and used as soon as everybody knows it; Properties > Certificate says who does not.",
            next.fingerprint
        );
        let more = details([("by", &"UserLock"), ("fingerprint", &next.fingerprint)]);
        Some((catalogue::CERTIFICATE_PREPARED, message, more))
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
