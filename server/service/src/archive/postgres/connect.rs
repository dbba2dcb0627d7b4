//! Connects to PostgreSQL step by step, so that what fails has a name.

use std::{error::Error as StdError, io, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use userlock_core::settings::{Database, DatabaseTls};

use super::super::ArchiveError;

/// A step that takes longer has failed.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// Reaches the server, signs in once, and gives what further connections are made with.
pub(super) async fn sign_in(settings: &Database) -> Result<PgConnectOptions, ArchiveError> {
    reach(&settings.host, settings.port).await?;
    let options = options(settings);
    let signed_in = tokio::time::timeout(STEP, options.connect()).await.map_err(|_| {
        let message = format!("{}:{} took the connection and said nothing within 5 s", settings.host, settings.port);
        ArchiveError::Reach(format!("{message}: check that PostgreSQL listens there"))
    })?;
    match signed_in {
        Ok(connection) => {
            // It was only to try.
            _ = connection.close().await;
            Ok(options)
        }
        Err(error) => Err(explain(settings, error)),
    }
}

fn options(settings: &Database) -> PgConnectOptions {
    let mode = match settings.tls {
        DatabaseTls::Disable => PgSslMode::Disable,
        DatabaseTls::Prefer => PgSslMode::Prefer,
        DatabaseTls::Require => PgSslMode::Require,
        DatabaseTls::VerifyFull => PgSslMode::VerifyFull,
    };
    // What the environment says of the file of passwords does not count: what is set here does.
    PgConnectOptions::new_without_pgpass()
        .host(&settings.host)
        .port(settings.port)
        .database(&settings.name)
        .username(&settings.user)
        .password(settings.password.expose())
        .ssl_mode(mode)
        .application_name("UserLock")
}

async fn reach(host: &str, port: u16) -> Result<(), ArchiveError> {
    let unreachable = |message: String| ArchiveError::Reach(message);
    let found = tokio::time::timeout(STEP, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| unreachable(format!("no name server answered for {host} within 5 s")))?;
    let addresses: Vec<_> = found
        .map_err(|error| unreachable(format!("{host} does not resolve: {error}. Check the name, or give an address")))?
        .collect();
    let connected = tokio::time::timeout(STEP, tokio::net::TcpStream::connect(addresses.as_slice())).await;
    let silent = format!("{host}:{port} did not answer within 5 s: check the address and the firewalls");
    connected.map_err(|_| unreachable(silent))?.map_err(|error| {
        unreachable(format!("{host}:{port}: {error}. Check that PostgreSQL runs and listens there"))
    })?;
    Ok(())
}

fn explain(settings: &Database, error: sqlx::Error) -> ArchiveError {
    let Database { host, port, name, user, .. } = settings;
    let authenticate = |field, message: String| ArchiveError::Authenticate { field, message };
    match &error {
        sqlx::Error::Database(known) => {
            let said = known.message();
            match known.code().as_deref() {
                // invalid_password
                Some("28P01") => {
                    authenticate("password", format!("{host} does not accept {user} with this password: {said}"))
                }
                // invalid_authorization_specification: there is no such account, or no rule that lets it in.
                Some("28000") => authenticate("user", format!("{host} does not let {user} in: {said}")),
                // invalid_catalog_name
                Some("3D000") => {
                    let advice = format!("as an administrator there: create database \"{name}\" owner \"{user}\"");
                    authenticate("name", format!("{user} is signed in, and {said}: {advice}"))
                }
                // insufficient_privilege
                Some("42501") => authenticate("name", format!("{user} is signed in and may not use {name}: {said}")),
                _ => ArchiveError::Sql(error),
            }
        }
        sqlx::Error::Tls(source) => ArchiveError::Tls(format!("TLS with {host}:{port} failed: {source}")),
        sqlx::Error::Io(source) if is_of_tls(source) => {
            ArchiveError::Tls(format!("TLS with {host}:{port} failed: {source}"))
        }
        sqlx::Error::Protocol(said) if said.contains("SSLRequest") => {
            ArchiveError::Reach(format!("{host}:{port} is no PostgreSQL server: {said}"))
        }
        _ => ArchiveError::Reach(format!("{host}:{port}: {error}. Check that PostgreSQL listens there")),
    }
}

/// Whether TLS itself failed, as the certificate does that nobody trusts.
fn is_of_tls(error: &io::Error) -> bool {
    let mut next = error.get_ref().map(|inner| inner as &(dyn StdError + 'static));
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        next = error.source();
    }
    false
}
