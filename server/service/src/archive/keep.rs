//! Opens the database that is set at the start, and tries again as long as it cannot be used.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use userlock_core::settings::{Database, DatabaseKind};

use super::{Archive, ArchiveError, Mark};
use crate::{
    log::{Episode, Journal, catalogue, details},
    zone::Zone,
};

/// From one try to the next.
const EVERY: Duration = Duration::from_secs(30);

/// Sees to it that the database that is set is in use, until the server stops; then closes it. The server goes on
/// without: what is wrong is told once.
pub async fn keep(archive: Archive, zone: Zone, journal: Journal, stop: CancellationToken) {
    let trying = async {
        let mut trouble = Episode::default();
        loop {
            look(&archive, &zone, &journal, &mut trouble).await;
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = trying => {}
        () = stop.cancelled() => {}
    }
    archive.install(None).await;
}

async fn look(archive: &Archive, zone: &Zone, journal: &Journal, trouble: &mut Episode) {
    let _turn = archive.turn().await;
    let settings = zone.own().database_of(zone.role());
    if archive.is_as(&settings) {
        // Somebody has set another one meanwhile, or none: what was wrong with the one before is over.
        match archive.backend() {
            Some(backend) => {
                let place = backend.place();
                let message = format!("The Database is in use. {place}");
                trouble.heal(journal, catalogue::DATABASE_OPENED, message, details([("place", &place)]));
            }
            None => *trouble = Episode::default(),
        }
        return;
    }
    match archive.open(&settings, &Mark::of(zone)).await {
        Ok(opened) => {
            let told = opened.as_ref().map(|opened| (opened.new, opened.place()));
            archive.install(opened).await;
            let Some((new, place)) = told else { return };
            let message = format!("The Database is in use. {place}");
            if trouble.is_open() {
                trouble.heal(journal, catalogue::DATABASE_OPENED, message, details([("place", &place)]));
            } else if new {
                journal.record(catalogue::DATABASE_OPENED, message, details([("place", &place)]));
            }
        }
        Err(error) => {
            tell(journal, trouble, &settings, &error);
            archive.fail(&error).await;
        }
    }
}

fn tell(journal: &Journal, trouble: &mut Episode, settings: &Database, error: &ArchiveError) {
    let place = match settings.kind {
        DatabaseKind::Off => return,
        DatabaseKind::Sqlite => format!("SQLite: {}", settings.file),
        DatabaseKind::Postgres => format!("PostgreSQL: {} at {}:{}", settings.name, settings.host, settings.port),
    };
    let mut more = details([("place", &place), ("check", &error.check()), ("error", &error)]);
    let kind = if let Some(mark) = error.mark() {
        more.extend(details([
            ("other_server", &mark.server_name),
            ("other_server_id", &mark.server_id),
            ("other_zone_id", &mark.zone_id),
        ]));
        catalogue::DATABASE_OF_OTHER_SERVER
    } else {
        catalogue::DATABASE_FAILED
    };
    let message = format!("The Database stays off ({place}): {error}.");
    trouble.fail(journal, kind, &format!("{place} {}", error.check()), message, more);
}
