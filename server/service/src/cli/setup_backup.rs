//! Sets up a Backup: checks the Primary step by step, joins it, and runs both synchronizations once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use userlock_core::{
    account::fold_case,
    agent_api::ServerAddress,
    api::{RunState, RunView, ServerRole, SyncKind},
    id::ServerId,
    settings::{OwnSettings, PrimaryAddress, Synchronization},
    sync::{JoinRequest, JoinResponse, PROTOCOL_VERSION},
};

use super::{
    Failure, secrets,
    setup::{Place, SetupArgs, Told, say},
};
use crate::{
    clock,
    log::{Journal, SystemLog, SystemLogPaths},
    random,
    store::product::ProductStore,
    sync::{Client, SyncError, Synchronizer},
    tls::normalize_fingerprint,
    zone::{self, Genesis, PEER_SKEW_MS, StoredPeer},
};

/// A step of the checks that takes longer has failed.
const STEP: Duration = Duration::from_secs(5);
/// The first synchronization of a large zone takes a while.
const FIRST_RUN: Duration = Duration::from_secs(3600);

/// Sets up a Backup of a Primary that runs.
pub async fn backup(args: &SetupArgs, place: &mut Place) -> Result<Told, Failure> {
    let needed = |name: &str| format!("a Backup needs {name}");
    let url = args.primary.clone().ok_or_else(|| needed("--primary, the Primary's address"))?;
    let account = args.account.clone().ok_or_else(|| needed("--account, an administrator of the Primary"))?;
    let password_file = args.password_file.as_deref().ok_or_else(|| needed("--password-file"))?;
    let fingerprint = match (&args.fingerprint, url.starts_with("https://")) {
        (Some(typed), _) => normalize_fingerprint(typed)
            .ok_or("--fingerprint must have the 64 digits that the Primary's set-up told")?,
        (None, true) => return Err(needed("--fingerprint, which the Primary's set-up told").into()),
        (None, false) => String::new(),
    };
    let password = secrets::read(password_file)?;
    let primary = ServerAddress { url: url.trim_end_matches('/').to_owned(), fingerprint };
    reach(&primary.url).await?;
    let mut request = JoinRequest {
        account,
        password,
        server_id: ServerId(random::bytes()?),
        server_name: place.config.name.clone(),
        address: place.address.clone(),
        protocol_version: PROTOCOL_VERSION,
        version: crate::VERSION.to_owned(),
        clock: clock::now_ms(),
        check_only: true,
        replace: args.replace,
    };
    let client = Client::new(&primary, String::new())?;
    let asked = clock::now_ms();
    let checked = client.join(&request).await.map_err(|error| explain(&error, &request.account))?;
    tell_checks(&checked, &request, asked);
    if fold_case(&checked.server_name) == fold_case(&request.server_name) {
        if args.name.is_some() {
            return Err(format!(
                "name: the Primary is called {} too. Give this server another --name",
                checked.server_name
            )
            .into());
        }
        request.server_name.push_str("-backup");
        place.config.name.clone_from(&request.server_name);
        say(&format!(
            "name: the Primary is called {} too, so this server is {}",
            checked.server_name, request.server_name
        ));
    }
    request.check_only = false;
    request.clock = clock::now_ms();
    let joined = client.join(&request).await.map_err(|error| explain(&error, &request.account))?;
    take_up(place, &primary, &request, joined).await.map_err(|error| {
        format!("{} The Primary counts this server as its Backup since it has joined: when that is mended, run this again with --replace.", sentence(&error.to_string()))
    })?;
    Ok(Told {
        url: place.address.url.clone(),
        fingerprint: place.address.fingerprint.clone(),
        enrolment: None,
        admin: None,
    })
}

/// Makes the state and fills it.
async fn take_up(
    place: &Place,
    primary: &ServerAddress,
    request: &JoinRequest,
    joined: JoinResponse,
) -> Result<(), Failure> {
    create(place, primary, request, joined).await?;
    synchronize(place).await?;
    place.note(ServerRole::Backup, &format!(" of {}", primary.url)).await
}

/// Whether the Primary's name resolves and something listens there.
async fn reach(url: &str) -> Result<(), Failure> {
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("--primary {url}: {error}"))?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = parsed.port_or_known_default().unwrap_or(8443);
    let found = tokio::time::timeout(STEP, tokio::net::lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| format!("resolve: no name server answered for {host} within 5 s"))?;
    let found = found.map_err(|error| format!("resolve: {host}: {error}. Check the name, or give an address"))?;
    let addresses: Vec<_> = found.collect();
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    say(&format!("resolve: {host} is {}", shown.join(", ")));
    let connected = tokio::time::timeout(STEP, tokio::net::TcpStream::connect(addresses.as_slice())).await;
    let connected = connected.map_err(|_| {
        format!("connect: {host}:{port} did not answer within 5 s. Check the firewalls between the two servers")
    })?;
    connected
        .map_err(|error| format!("connect: {host}:{port}: {error}. Check that the Primary runs and listens there"))?;
    say(&format!("connect: {host}:{port} accepts connections"));
    Ok(())
}

/// What stands against joining, by the name of the check, and what to do.
fn explain(error: &SyncError, account: &str) -> String {
    use crate::log::catalogue;
    let (check, advice) = match error.kind {
        catalogue::SYNC_TLS => ("tls", "Compare --fingerprint with what the Primary's set-up told."),
        catalogue::SYNC_AUTHENTICATION => ("authenticate", "Check the account and the password in the file."),
        catalogue::SYNC_NOT_PRIMARY => ("is a Primary", "Give the Primary's address."),
        catalogue::SYNC_NOT_ADMINISTRATOR => {
            ("is an administrator", "Give the account the role administrator on the Primary, or use another account.")
        }
        catalogue::SYNC_VERSION => ("version", "Upgrade the older server."),
        _ => ("join", "Look into the application log of the Primary."),
    };
    let what = match error.kind {
        catalogue::SYNC_AUTHENTICATION => {
            format!("the Primary does not accept the account {account} with this password")
        }
        catalogue::SYNC_TLS => {
            "the server at this address has another certificate than the one of --fingerprint".to_owned()
        }
        _ => error.to_string(),
    };
    format!("{check}: {} {advice}", sentence(&what))
}

/// A text with one full stop at its end.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches(['.', ' ']))
}

fn tell_checks(checked: &JoinResponse, request: &JoinRequest, asked: i64) {
    say("tls: the certificate is the one that was confirmed");
    say(&format!("authenticate: {} is signed in", request.account));
    say(&format!("is a Primary: {}, version {}", checked.server_name, checked.version));
    say(&format!("zone: {}, free to join", checked.zone_name));
    say("is an administrator: yes");
    let skew = checked.clock.saturating_sub(i64::midpoint(asked, clock::now_ms()));
    let advice = if skew.abs() >= PEER_SKEW_MS { ". Nothing is decided by clocks; set both by NTP" } else { "" };
    say(&format!("clock skew: {skew} ms{advice}"));
}

/// Writes down what the Primary told.
async fn create(
    place: &Place,
    primary: &ServerAddress,
    request: &JoinRequest,
    joined: JoinResponse,
) -> Result<(), Failure> {
    let settings = Client::new(primary, joined.token.clone())?.settings().await?;
    let address = PrimaryAddress { url: primary.url.clone(), fingerprint: primary.fingerprint.clone() };
    let genesis = Genesis {
        server_id: request.server_id,
        zone_id: joined.zone_id,
        role: ServerRole::Backup,
        epoch: joined.epoch,
        settings,
        own: OwnSettings {
            revision: 1,
            synchronization: Some(Synchronization::of(address, request.account.clone())),
            ..OwnSettings::default()
        },
        peer: Some(StoredPeer {
            server_id: joined.server_id,
            name: joined.server_name,
            address: primary.clone(),
            account: request.account.clone(),
            token_hash: String::new(),
            token: Some(joined.token),
        }),
    };
    Ok(zone::create(&place.dir, &genesis).await?)
}

/// Runs both synchronizations once.
async fn synchronize(place: &Place) -> Result<(), Failure> {
    let product = ProductStore::open(&place.dir).await?;
    let system = SystemLog::find(&place.config.log, &SystemLogPaths::default());
    let (journal, _journal_task) = Journal::start(product.clone(), system);
    let (zone, _writer, _notes) = zone::open(&place.dir, place.config.name.clone(), place.address.clone()).await?;
    let stop = CancellationToken::new();
    let sync = Synchronizer::new(zone.clone(), journal.clone(), stop.clone());
    let sessions = first_run(&sync, SyncKind::Sessions).await;
    let events = match sessions {
        Ok(view) => {
            let result = view.sessions.map(|s| format!("{} added, {} ms", s.added, s.duration_ms)).unwrap_or_default();
            say(&format!("Sessions synchronization: {result}"));
            first_run(&sync, SyncKind::Events).await
        }
        Err(failure) => Err(failure),
    };
    stop.cancel();
    sync.stopped().await;
    journal.flush().await;
    product.close().await;
    let result = events?
        .events
        .map(|e| format!("{} applied, settings revision {}", e.applied, e.settings_revision))
        .unwrap_or_default();
    say(&format!("Events synchronization: {result}"));
    Ok(())
}

async fn first_run(sync: &Synchronizer, kind: SyncKind) -> Result<RunView, Failure> {
    let started = sync.begin(kind, false, "set-up");
    let view = sync.wait(started.run, FIRST_RUN).await.ok_or("the run is gone")?;
    match (view.state, &view.error) {
        (RunState::Succeeded, _) => Ok(view),
        (_, Some(error)) => {
            let what = error.message.trim_end_matches('.');
            Err(format!("{what}, while {}. {}", error.stage, error.advice).into())
        }
        _ => Err("the first synchronization did not end in time".into()),
    }
}
