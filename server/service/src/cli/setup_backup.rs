//! Sets up a Backup: checks the Primary step by step, joins it, and runs both synchronizations once.

use userlock_core::{
    account::fold_case,
    api::{RunState, RunView},
    sync::JoinResponse,
};

use super::{
    Failure, secrets,
    setup::{Making, SetupArgs, Told, say},
};
use crate::setup::{self, Leftover, NewBackup, Own};

/// Sets up a Backup of a Primary that runs.
pub async fn backup(args: &SetupArgs, making: &mut Making) -> Result<Told, Failure> {
    let needed = |name: &str| format!("a Backup needs {name}");
    let url = args.primary.clone().ok_or_else(|| needed("--primary, the Primary's address"))?;
    let account = args.account.clone().ok_or_else(|| needed("--account, an administrator of the Primary"))?;
    let password_file = args.password_file.as_deref().ok_or_else(|| needed("--password-file"))?;
    let url = setup::typed_address(&url)?;
    let fingerprint = match (&args.fingerprint, url.starts_with("https://")) {
        (Some(typed), _) => Some(setup::typed_fingerprint(typed)?),
        (None, true) => return Err(needed("--fingerprint, which the Primary's set-up told").into()),
        (None, false) => None,
    };
    let password = secrets::read(password_file)?;
    let own = Own { listen: making.config.listen, address: making.address.clone() };
    let reached = setup::reach(&url, fingerprint.as_deref(), &own, &say).await?;
    if fold_case(&reached.about.server_name) == fold_case(&making.config.name) {
        if args.name.is_some() {
            return Err(setup::name_taken(&reached.about.server_name).into());
        }
        making.config.name.push_str("-backup");
        say(&format!(
            "name: the Primary is called {} too, so this server is {}",
            reached.about.server_name, making.config.name
        ));
    }
    let new = NewBackup {
        leftover: Leftover::read(&making.place.dir).map_or_else(Leftover::draw, Ok)?,
        name: making.config.name.clone(),
        address: making.address.clone(),
        primary: reached.address,
        account,
        password,
        replace: args.replace,
    };
    let checked = setup::check(&new).await?;
    say(&format!("authenticate: {} is signed in", new.account));
    say(&format!("zone: {}, free to join", checked.zone_name));
    say("is an administrator: yes");
    let joined = setup::join(&making.place, &new, &checked).await?;
    fill(making, &new, &joined).await.map_err(|error| {
        format!("{error} The Primary counts this server as its Backup since it has joined: when that is mended, run this again with --replace.")
    })?;
    Ok(Told {
        url: making.address.url.clone(),
        fingerprint: making.address.fingerprint.clone(),
        enrolment: None,
        admin: None,
    })
}

/// Makes the state and fills it.
async fn fill(making: &Making, new: &NewBackup, joined: &JoinResponse) -> Result<(), setup::Failure> {
    setup::take_up(&making.place, new, joined).await?;
    setup::synchronize(&making.place, &making.config, &making.address, &tell_run).await
}

/// Tells what a synchronization did, at its end.
fn tell_run(view: &RunView) {
    if view.state != RunState::Succeeded {
        return;
    }
    if let Some(sessions) = &view.sessions {
        say(&format!("Sessions synchronization: {} added, {} ms", sessions.added, sessions.duration_ms));
    }
    if let Some(events) = &view.events {
        say(&format!(
            "Events synchronization: {} applied, settings revision {}",
            events.applied, events.settings_revision
        ));
    }
}
