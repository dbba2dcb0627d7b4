//! Changes the settings of a server that does not run.

use userlock_core::{
    agent_api::{Enrolment, ServerAddress},
    api::ServerRole,
    server::Input,
    settings::ZoneSettings,
};

use super::Failure;
use crate::{
    config::Config,
    dir_lock::{DirLock, DirLockError},
    http::problem::Refusal,
    operations::{EnrolmentCreated, TokenCreated, TokenRequest},
    random,
    run::fingerprint_of,
    setup::is_leaving,
    zone::{self, Zone},
};

/// Takes the data directory, if no server has it.
pub fn take(config: &Config) -> Result<Option<DirLock>, Failure> {
    match DirLock::acquire(&config.dir) {
        Ok(_) if is_leaving(&config.dir) => {
            Err("this server has left its zone, and not all is set aside yet: `userlock serve` does that".into())
        }
        Ok(lock) => Ok(Some(lock)),
        Err(DirLockError::InUse { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes an API token.
pub async fn token(config: &Config, _lock: DirLock, request: &TokenRequest) -> Result<TokenCreated, Failure> {
    let detail = |refusal: Refusal| refusal.problem().detail.clone();
    request.check().map_err(detail)?;
    let (token, stored) = request.make().map_err(detail)?;
    let zone = open(config).await?;
    let created = TokenCreated { name: stored.name.clone(), role: stored.role.clone(), expires: stored.expires, token };
    change(&zone, "security", format!("API token {}", stored.name), |settings| {
        settings.security.tokens.retain(|other| other.name != stored.name);
        settings.security.tokens.push(stored);
    })
    .await?;
    Ok(created)
}

/// Makes a new zone key.
pub async fn enrolment(config: &Config, _lock: DirLock) -> Result<EnrolmentCreated, Failure> {
    let zone = open(config).await?;
    let key = random::secret("ulz_")?;
    let hash = random::hash_secret(&key);
    change(&zone, "agents", "new zone key".to_owned(), |settings| settings.agents.zone_key_hash = hash).await?;
    let own = zone.read(|server| server.identity.address.clone());
    let servers = std::iter::once(own).chain(zone.stored_peer().map(|peer| peer.address)).collect();
    Ok(EnrolmentCreated { enrolment: Enrolment { servers, key }.to_text() })
}

async fn open(config: &Config) -> Result<Zone, Failure> {
    let fingerprint = fingerprint_of(config)?;
    let address = ServerAddress::new(config.public_url.clone(), fingerprint);
    let (zone, _writer, _notes) = zone::open(&config.dir, config.name.clone(), address).await?;
    if zone.role() == ServerRole::Backup {
        return Err("this server is a Backup: the zone's settings are changed on its Primary".into());
    }
    Ok(zone)
}

async fn change(
    zone: &Zone,
    section: &str,
    reason: String,
    change: impl FnOnce(&mut ZoneSettings),
) -> Result<(), Failure> {
    let document = zone.read(|server| server.settings.clone());
    let mut settings = document.settings.clone();
    change(&mut settings);
    let input = Input::ChangeSettings {
        base: document.revision,
        settings: Box::new(settings),
        section: section.to_owned(),
        by: "administrator on this machine".to_owned(),
        reason: Some(reason),
    };
    zone.submit(input).await?;
    Ok(())
}
