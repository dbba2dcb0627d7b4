//! `userlock setup`: the Configuration wizard without a browser.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::Serialize;
use userlock_core::{
    account::fold_case,
    agent_api::{Enrolment, ServerAddress},
    api::ServerRole,
    id::{Epoch, EpochName, ServerId, ZoneId},
    settings::{Agents, Change, LocalAccount, OwnSettings, Role, Security, ZoneDocument, ZoneSettings},
};

use super::{Failure, Outcome, print, secrets, setup_backup};
use crate::{
    auth::{MAX_PASSWORD_BYTES, hash_now},
    clock,
    config::{self, Config},
    dir_lock::DirLock,
    log::{Journal, SystemLog, SystemLogPaths, catalogue, details},
    random,
    store::product::ProductStore,
    tls::Identity,
    zone::{self, Genesis},
};

/// The first administrator's name.
const ADMINISTRATOR: &str = "admin";
/// The shortest password that is taken.
const MIN_PASSWORD: usize = 8;

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

/// The place that is being set up. What it made is removed again when the set-up fails.
pub struct Place {
    /// The data directory.
    pub dir: PathBuf,
    /// The configuration that the server will have.
    pub config: Config,
    /// Where the server will be reached.
    pub address: ServerAddress,
    made_dir: bool,
    _lock: DirLock,
}

/// Sets a server up.
pub async fn setup(args: SetupArgs) -> Outcome {
    check(&args)?;
    let mut place = Place::make(&args)?;
    let done = match args.role {
        SetupRole::Primary => primary(&args, &place).await,
        SetupRole::Backup => Box::pin(setup_backup::backup(&args, &mut place)).await,
    };
    let done = match done {
        Ok(told) => write_config(&args, &place).map(|()| told),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(told) => {
            say(&format!("Set up. Start it with: userlock serve --config {}", args.config_out.display()));
            print(&format!("{}\n", serde_json::to_string(&told)?))
        }
        Err(failure) => {
            place.remove();
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

impl Place {
    fn make(args: &SetupArgs) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| format!("{}: {error}", args.dir.display());
        let made_dir = !args.dir.exists();
        if made_dir {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&args.dir).map_err(failed)?;
        }
        let dir = args.dir.canonicalize().map_err(failed)?;
        let lock = DirLock::acquire(&dir)?;
        if dir.join(crate::store::state::FILE).exists() {
            return Err(format!("{} has a server that is set up: nothing was changed", dir.display()).into());
        }
        let name = args.name.clone().unwrap_or_else(config::host_name);
        let public_url = args.public_url.clone().unwrap_or_else(|| config::default_url(args.listen, args.plain_http));
        let file = config_text(args, &dir, &name, &public_url);
        let config = Config::read(&args.config_out, &file, [])?;
        let mut place = Self {
            dir,
            config,
            address: ServerAddress { url: public_url, fingerprint: String::new() },
            made_dir,
            _lock: lock,
        };
        if !args.plain_http {
            match Identity::generate(&place.dir, &config::host_name(), args.listen.ip()) {
                Ok(identity) => place.address.fingerprint = identity.fingerprint(),
                Err(error) => {
                    place.remove();
                    return Err(error.into());
                }
            }
        }
        Ok(place)
    }

    /// Removes what the set-up made.
    fn remove(&self) {
        if self.made_dir {
            // What stays behind is in the way of the next attempt, which says so.
            _ = fs::remove_dir_all(&self.dir);
            return;
        }
        let state = crate::store::state::FILE;
        let product = crate::store::product::FILE;
        let names = [state, product].into_iter().flat_map(|f| [f.to_owned(), format!("{f}-wal"), format!("{f}-shm")]);
        for name in names.chain(["server.pem".to_owned(), "server.key".to_owned(), "lock".to_owned()]) {
            _ = fs::remove_file(self.dir.join(name));
        }
    }

    /// Writes what has happened to the new server's application log.
    pub async fn note(&self, role: ServerRole, more: &str) -> Result<(), Failure> {
        let store = ProductStore::open(&self.dir).await?;
        let system = SystemLog::find(&self.config.log, &SystemLogPaths::default());
        let (journal, task) = Journal::start(store.clone(), system);
        let message = format!("{} was set up as {}{more}", self.config.name, role.title());
        journal.record(catalogue::SET_UP, message, details([("role", &role.title()), ("address", &self.address.url)]));
        journal.flush().await;
        drop(journal);
        task.await?;
        store.close().await;
        Ok(())
    }
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

fn write_config(args: &SetupArgs, place: &Place) -> Outcome {
    let text = config_text(args, &place.dir, &place.config.name, &place.address.url);
    let failed = |error: std::io::Error| format!("{}: {error}", args.config_out.display());
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&args.config_out);
    let mut file = file.map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file.sync_all().map_err(failed)?)
}

/// Sets up a Primary: the zone, its first administrator and its key.
async fn primary(args: &SetupArgs, place: &Place) -> Result<Told, Failure> {
    let (password, admin) = match &args.admin_password_file {
        Some(path) => (secrets::read(path)?, None),
        None => {
            let password = random::password()?;
            (password.clone(), Some(Admin { user: ADMINISTRATOR.to_owned(), password }))
        }
    };
    if password.len() < MIN_PASSWORD || password.len() > MAX_PASSWORD_BYTES {
        return Err(format!(
            "the administrator's password must have {MIN_PASSWORD} to {MAX_PASSWORD_BYTES} characters"
        )
        .into());
    }
    let key = random::secret("ulz_")?;
    let administrator = LocalAccount {
        name: fold_case(ADMINISTRATOR),
        password_hash: hash_now(&password)?,
        roles: vec![Role::Administrator.as_str().to_owned()],
        disabled: false,
    };
    let mut settings = ZoneSettings {
        agents: Agents { zone_key_hash: random::hash_secret(&key), ..Agents::default() },
        security: Security { accounts: vec![administrator], ..Security::default() },
        ..ZoneSettings::default()
    };
    settings.general.zone_name = args.zone.trim().to_owned();
    let epoch = Epoch { number: 1, name: EpochName(random::bytes()?) };
    let change =
        Change { epoch, at: clock::now_ms(), by: "set-up", section: "general", reason: Some("the zone was set up") };
    let genesis = Genesis {
        server_id: ServerId(random::bytes()?),
        zone_id: ZoneId(random::bytes()?),
        role: ServerRole::Primary,
        epoch,
        settings: ZoneDocument::next(None, settings, change)?,
        own: OwnSettings::default(),
        peer: None,
    };
    zone::create(&place.dir, &genesis).await?;
    place.note(ServerRole::Primary, "").await?;
    say(&format!("Primary of the zone {}: {}", args.zone, place.address.url));
    if !place.address.fingerprint.is_empty() {
        say(&format!("Certificate: sha256 {}", place.address.fingerprint));
    }
    if let Some(admin) = &admin {
        say(&format!("Administrator: {}, password {} (shown once)", admin.user, admin.password));
    }
    let enrolment = Enrolment { servers: vec![place.address.clone()], key }.to_text();
    Ok(Told {
        url: place.address.url.clone(),
        fingerprint: place.address.fingerprint.clone(),
        enrolment: Some(enrolment),
        admin,
    })
}
