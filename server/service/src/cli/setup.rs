//! `userlock setup`: the Configuration wizard without a browser.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::Serialize;
use userlock_core::agent_api::ServerAddress;

use super::{Failure, Outcome, print, secrets, setup_backup};
use crate::{
    config::{self, Config},
    random,
    setup::{self, Place},
};

/// The first administrator's name.
const ADMINISTRATOR: &str = "admin";

/// `userlock setup`.
#[derive(Debug, clap::Args)]
pub struct SetupArgs {
    /// What the server is for
    #[arg(long)]
    pub role: SetupRole,
    /// The data directory, which is made
    #[arg(long)]
    pub dir: PathBuf,
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// The configuration file, which is written
    #[arg(long, value_name = "FILE")]
    pub config_out: PathBuf,
    /// The server's name for people [default: the host's name]
    #[arg(long)]
    pub name: Option<String>,
    /// The address that agents, browsers and the other server use [default: from --listen]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// No TLS; on a loopback address only
    #[arg(long)]
    pub plain_http: bool,
    /// Of a Primary: the protected zone's name
    #[arg(long, default_value = "zone")]
    pub zone: String,
    /// Of a Primary: a file with the administrator's password; without it one is made and printed once
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// Of a Backup: the Primary's address
    #[arg(long, value_name = "URL")]
    pub primary: Option<String>,
    /// Of a Backup: the service account, which must be an administrator of the Primary
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Of a Backup: a file with the service account's password; it is used once and not kept
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Of a Backup: the SHA-256 fingerprint of the Primary's certificate
    #[arg(long, value_name = "SHA256")]
    pub fingerprint: Option<String>,
    /// Of a Backup: take the place of the Backup that the zone has
    #[arg(long)]
    pub replace: bool,
}

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetupRole {
    /// It holds the settings; agents prefer it
    Primary,
    /// It synchronizes from the Primary and stands in for it
    Backup,
}

/// The line of JSON on standard output.
#[derive(Serialize)]
pub struct Told {
    /// Where the server is reached.
    pub url: String,
    /// How its certificate is known; empty for plain HTTP.
    pub fingerprint: String,
    /// What machines are enrolled with; of a Primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<String>,
    /// The administrator, when the password was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<Admin>,
}

/// The first administrator.
#[derive(Serialize)]
pub struct Admin {
    user: String,
    password: String,
}

/// The server that is being set up.
pub struct Making {
    /// The data directory.
    pub place: Place,
    /// The configuration that the server will have.
    pub config: Config,
    /// Where the server will be reached.
    pub address: ServerAddress,
}

/// Sets a server up. What was made is removed again when that fails.
pub async fn setup(args: SetupArgs) -> Outcome {
    check(&args)?;
    setup::complete_leaving(&args.dir).await?;
    let mut place = Place::take(&args.dir)?;
    let (config, address) = match plan(&args, &mut place) {
        Ok(plan) => plan,
        Err(failure) => {
            place.remove();
            return Err(failure);
        }
    };
    let mut making = Making { place, config, address };
    let done = match args.role {
        SetupRole::Primary => primary(&args, &making).await,
        SetupRole::Backup => Box::pin(setup_backup::backup(&args, &mut making)).await,
    };
    let done = match done {
        Ok(told) => write_config(&args, &making).map(|()| told),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(told) => {
            say(&format!("Set up. Start it with: userlock serve --config {}", args.config_out.display()));
            print(&format!("{}\n", serde_json::to_string(&told)?))
        }
        Err(failure) => {
            making.place.remove();
            say("Nothing was set up.");
            Err(failure)
        }
    }
}

/// Tells people something, beside the line that programs read.
pub fn say(text: &str) {
    // Where standard error is closed there is nobody to tell.
    _ = writeln!(std::io::stderr(), "{text}");
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an IP address of this machine with a port, such as 0.0.0.0:8443 or [::]:8443".to_owned())
}

fn check(args: &SetupArgs) -> Outcome {
    if args.config_out.exists() {
        return Err(format!("{} is there already: nothing was changed", args.config_out.display()).into());
    }
    if args.plain_http && !args.listen.ip().is_loopback() {
        return Err("--plain-http is for a loopback address: passwords and tokens would travel in clear".into());
    }
    if let Some(url) = &args.public_url {
        setup::public_url(url, args.plain_http).map_err(|failure| format!("--public-url: {failure}"))?;
    }
    if args.listen.port() == 0 {
        return Err("--listen needs a port: the server is known to others by it".into());
    }
    // Another trouble than these may pass until the server starts, perhaps as another user.
    if let Err(error) = std::net::TcpListener::bind(args.listen)
        && matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::AddrNotAvailable)
    {
        return Err(format!("--listen {}: {error}. Choose a free address of this machine.", args.listen).into());
    }
    let of_backup =
        args.primary.is_some() || args.account.is_some() || args.password_file.is_some() || args.fingerprint.is_some();
    if args.role == SetupRole::Primary && of_backup {
        return Err("--primary, --account, --password-file and --fingerprint are for --role backup".into());
    }
    if args.role == SetupRole::Backup && args.admin_password_file.is_some() {
        return Err("--admin-password-file is for --role primary: a Backup has the Primary's accounts".into());
    }
    Ok(())
}

/// The configuration that the server will have, and where it will be reached.
fn plan(args: &SetupArgs, place: &mut Place) -> Result<(Config, ServerAddress), Failure> {
    let name = args.name.clone().unwrap_or_else(config::host_name);
    let url = args.public_url.clone().unwrap_or_else(|| config::default_url(args.listen, args.plain_http));
    let file = config_text(args, &place.dir, &name, &url);
    let config = Config::read(&args.config_out, &file, [])?;
    let fingerprint = place.identity(&config)?.map(|identity| identity.fingerprint()).unwrap_or_default();
    Ok((config, ServerAddress::new(url, fingerprint)))
}

fn config_text(args: &SetupArgs, dir: &Path, name: &str, public_url: &str) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = String::from("# Made by `userlock setup`. What else can stand here: docs/OPERATIONS.md.\n");
    text.push_str(&format!("listen = {}\n", quote(&args.listen.to_string())));
    text.push_str(&format!("dir = {}\n", quote(&dir.to_string_lossy())));
    text.push_str(&format!("name = {}\n", quote(name)));
    text.push_str(&format!("public_url = {}\n", quote(public_url)));
    if args.plain_http {
        text.push_str("plain_http = true\n");
    }
    text
}

fn write_config(args: &SetupArgs, making: &Making) -> Outcome {
    let text = config_text(args, &making.place.dir, &making.config.name, &making.address.url);
    let failed = |error: std::io::Error| format!("{}: {error}", args.config_out.display());
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&args.config_out);
    let mut file = file.map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file.sync_all().map_err(failed)?)
}

/// Sets up a Primary: the zone, its first administrator and its key.
async fn primary(args: &SetupArgs, making: &Making) -> Result<Told, Failure> {
    let (password, admin) = match &args.admin_password_file {
        Some(path) => (secrets::read(path)?, None),
        None => {
            let password = random::password()?;
            (password.clone(), Some(Admin { user: ADMINISTRATOR.to_owned(), password }))
        }
    };
    let administrator = setup::administrator(ADMINISTRATOR, &password)?;
    let zone = setup::zone_name(&args.zone)?;
    let Making { place, config, address } = making;
    let enrolment = setup::make_primary(place, config, address, zone, administrator).await?;
    say(&format!("Primary of the zone {}: {}", args.zone, address.url));
    if !address.fingerprint.is_empty() {
        say(&format!("Certificate: sha256 {}", address.fingerprint));
    }
    if let Some(admin) = &admin {
        say(&format!("Administrator: {}, password {} (shown once)", admin.user, admin.password));
    }
    Ok(Told { url: address.url.clone(), fingerprint: address.fingerprint.clone(), enrolment: Some(enrolment), admin })
}
