//! Making a Primary: the zone, its first administrator and its key.

use userlock_core::{
    agent_api::{Enrolment, ServerAddress},
    api::ServerRole,
    id::{Epoch, EpochName, ZoneId},
    settings::{Agents, Change, LocalAccount, OwnSettings, Role, Security, ZoneDocument, ZoneSettings},
};

use super::{Administrator, Failure, Leftover, Place, Typed};
use crate::{
    clock,
    config::Config,
    random,
    zone::{self, Genesis},
};

/// Makes the state of a Primary. Returns what machines are enrolled with, which is told once.
///
/// # Errors
/// [`Failure`].
pub async fn make_primary(
    place: &Place,
    config: &Config,
    address: &ServerAddress,
    zone_name: String,
    administrator: Administrator,
) -> Result<String, Failure> {
    let key = random::secret("ulz_")?;
    let account = LocalAccount {
        name: administrator.name,
        password_hash: administrator.password_hash,
        roles: vec![Role::Administrator.as_str().to_owned()],
        disabled: false,
    };
    let mut settings = ZoneSettings {
        agents: Agents { zone_key_hash: random::hash_secret(&key), ..Agents::default() },
        security: Security { accounts: vec![account], ..Security::default() },
        ..ZoneSettings::default()
    };
    settings.general.zone_name = zone_name;
    let epoch = Epoch { number: 1, name: EpochName(random::bytes()?) };
    let change =
        Change { epoch, at: clock::now_ms(), by: "set-up", section: "general", reason: Some("the zone was set up") };
    let leftover = Leftover::draw()?;
    leftover.write(&place.dir)?;
    // Of an attempt that was cut off.
    place.remove_state();
    let genesis = Genesis {
        server_id: leftover.server_id,
        zone_id: ZoneId(random::bytes()?),
        role: ServerRole::Primary,
        epoch,
        settings: ZoneDocument::next(None, settings, change)?,
        own: OwnSettings::default(),
        peer: None,
    };
    zone::create(&place.dir, &genesis).await?;
    place.note(config, address, ServerRole::Primary, "").await?;
    Typed::remove(&place.dir)?;
    Leftover::remove(&place.dir)?;
    Ok(Enrolment { servers: vec![address.clone()], key }.to_text())
}
