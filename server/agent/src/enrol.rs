//! Enrolment: the machine gets a token of its own.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use userlock_core::{
    agent_api::{EnrolRequest, Enrolment, InvalidEnrolment, ServerAddress},
    id::AgentId,
};

use crate::{
    client::{AddressError, CallError, Clients, parse_fingerprint},
    files::{Durability, FileError, create_private, make_private_dir, read_json, replace_json},
    reporter::{Identity, Zone},
};

const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a file with an enrolment string.
const MAX_STRING_BYTES: u64 = 64 * 1024;

/// Why the machine was not enrolled, or is not.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The string.
    #[error(transparent)]
    String(#[from] InvalidEnrolment),
    /// An address in it.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The machine is enrolled already.
    #[error("this machine is enrolled already, as {machine}: to enrol it again, stop the daemon, see that `userlock-agent status` showed nothing waiting, remove {}, and have an administrator release the name", dir.display())]
    Already {
        /// Its name.
        machine: String,
        /// The state folder.
        dir: PathBuf,
    },
    /// The machine is not enrolled.
    #[error("this machine is not enrolled: run `userlock-agent enrol --string-file FILE --state-dir {}`", .0.display())]
    NotYet(PathBuf),
    /// The daemon runs.
    #[error("the daemon of this machine runs: stop it, and try again")]
    DaemonRuns,
    /// No server of the zone has this address.
    #[error("no server of this machine's zone has the address {url}: it knows {}", known.join(", "))]
    OtherServer {
        /// What was given.
        url: String,
        /// The addresses that are known.
        known: Vec<String>,
    },
    /// A server refused.
    #[error("{url} refused: {detail}")]
    Refused {
        /// The server.
        url: String,
        /// Why.
        detail: String,
    },
    /// No server answered.
    #[error("no server answered: {0}")]
    Nobody(String),
}

/// The file with the token. It is written once and not told to anybody.
#[derive(Serialize, Deserialize)]
struct IdentityFile {
    agent: AgentId,
    token: String,
    machine: String,
    servers: Vec<ServerAddress>,
}

/// Trusts a server of the zone by another certificate from now on, which somebody has compared: for a machine that was
/// away while all its servers replaced theirs.
///
/// # Errors
/// [`EnrolError`]; then nothing was changed.
pub fn trust(dir: &Path, url: &str, fingerprint: &str) -> Result<(), EnrolError> {
    let mut enrolled = read(dir)?;
    let lock = create_private(&dir.join("lock"))?;
    lock.try_lock().map_err(|_| EnrolError::DaemonRuns)?;
    let wanted = url.trim_end_matches('/');
    let is_it = |server: &&mut ServerAddress| server.url.trim_end_matches('/') == wanted;
    let mut zone: Option<Zone> = read_json(&dir.join("zone.json"))?;
    let all = zone.as_mut().map_or(&mut enrolled.servers, |zone| &mut zone.servers);
    let known = all.iter().map(|server| server.url.clone()).collect();
    let Some(server) = all.iter_mut().find(is_it) else {
        return Err(EnrolError::OtherServer { url: url.to_owned(), known });
    };
    *server = ServerAddress::new(server.url.clone(), parse_fingerprint(fingerprint)?);
    match zone {
        Some(zone) => replace_json(&dir.join("zone.json"), &zone, Durability::Disk)?,
        None => replace_json(&file(dir), &enrolled, Durability::Disk)?,
    }
    Ok(())
}

fn file(dir: &Path) -> PathBuf {
    dir.join("identity.json")
}

fn read(dir: &Path) -> Result<IdentityFile, EnrolError> {
    read_json(&file(dir))?.ok_or_else(|| EnrolError::NotYet(dir.to_owned()))
}

/// Who this machine is.
///
/// # Errors
/// [`EnrolError::NotYet`], or the file cannot be read.
pub fn identity(dir: &Path) -> Result<Identity, EnrolError> {
    let file = read(dir)?;
    Ok(Identity { agent: file.agent, token: file.token, machine: file.machine })
}

/// The servers that the enrolment string named.
///
/// # Errors
/// As [`identity`].
pub fn servers(dir: &Path) -> Result<Vec<ServerAddress>, EnrolError> {
    Ok(read(dir)?.servers)
}

/// Reads the enrolment string from a file, or from standard input for `-`.
///
/// # Errors
/// [`EnrolError`].
pub fn read_string(path: &Path) -> Result<Enrolment, EnrolError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_STRING_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_STRING_BYTES).read_to_string(&mut text))
    };
    read.map_err(FileError::new("read", path))?;
    Ok(Enrolment::from_text(&text)?)
}

/// Enrols this machine under `machine` at the first server that answers, and writes its token to the state folder.
/// Gives its name as the zone knows it.
///
/// # Errors
/// [`EnrolError`]; then nothing was written.
pub async fn enrol(enrolment: Enrolment, machine: &str, dir: &Path) -> Result<String, EnrolError> {
    if let Some(IdentityFile { machine, .. }) = read_json(&file(dir))? {
        return Err(EnrolError::Already { machine, dir: dir.to_owned() });
    }
    make_private_dir(dir)?;
    let request = EnrolRequest {
        key: enrolment.key,
        machine: machine.to_owned(),
        version: concat!("userlock-agent ", env!("CARGO_PKG_VERSION")).into(),
    };
    let clients = Clients::default();
    let mut failures = Vec::new();
    for address in &enrolment.servers {
        match clients.server(address)?.enrol(&request, TIMEOUT).await {
            Ok(given) => {
                let machine = given.machine.clone();
                let identity = IdentityFile {
                    agent: given.agent,
                    token: given.token,
                    machine: given.machine,
                    servers: enrolment.servers,
                };
                replace_json(&file(dir), &identity, Durability::Disk)?;
                return Ok(machine);
            }
            Err(CallError::Refused(problem)) if problem.status < 500 => {
                return Err(EnrolError::Refused { url: address.url.clone(), detail: problem.detail });
            }
            Err(error) => failures.push(format!("{}: {error}", address.url)),
        }
    }
    Err(EnrolError::Nobody(failures.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Mood, TOKEN};

    fn enrolment(key: &str, servers: &[&Fake]) -> Enrolment {
        Enrolment { servers: servers.iter().map(|server| server.address.clone()).collect(), key: key.into() }
    }

    #[tokio::test]
    async fn the_first_server_that_answers_gives_a_token_which_only_the_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let (one, other) = Fake::pair();
        one.be(Mood::Broken);
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert!(matches!(identity(&state), Err(EnrolError::NotYet(_))));
        let name = enrol(enrolment("the zone key", &[&one, &other]), "PC-7", &state).await.unwrap();
        assert_eq!(name, "pc-7");
        let identity = identity(&state).unwrap();
        assert_eq!((identity.machine.as_str(), identity.token.as_str()), ("pc-7", TOKEN));
        assert_eq!(servers(&state).unwrap().len(), 2);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&file(&state))), (0o700, 0o600));
        let again = enrol(enrolment("the zone key", &[&other]), "PC-7", &state).await;
        assert!(matches!(again, Err(EnrolError::Already { .. })));
    }

    #[tokio::test]
    async fn a_refusal_is_final_and_writes_nothing() {
        let one = Fake::start();
        let dir = tempfile::tempdir().unwrap();
        let refused = enrol(enrolment("another key", &[&one]), "pc", dir.path()).await.unwrap_err();
        assert!(refused.to_string().contains("wrong_key"), "{refused}");
        assert!(!file(dir.path()).exists());
        one.be(Mood::Broken);
        let nobody = enrol(enrolment("the zone key", &[&one]), "pc", dir.path()).await;
        assert!(matches!(nobody, Err(EnrolError::Nobody(_))));
    }

    #[tokio::test]
    async fn a_server_is_trusted_by_the_certificate_that_somebody_compared() {
        let one = Fake::start();
        let dir = tempfile::tempdir().unwrap();
        let digits = "ab".repeat(32);
        let url = one.address.url.clone();
        assert!(matches!(trust(dir.path(), &url, &digits), Err(EnrolError::NotYet(_))));
        enrol(enrolment("the zone key", &[&one]), "pc", dir.path()).await.unwrap();
        assert!(matches!(trust(dir.path(), "https://elsewhere", &digits), Err(EnrolError::OtherServer { .. })));
        assert!(matches!(trust(dir.path(), &url, "ab"), Err(EnrolError::Address(_))));
        assert_eq!(servers(dir.path()).unwrap().first(), Some(&one.address), "nothing was changed");
        trust(dir.path(), &format!("{url}/"), &digits.to_uppercase()).unwrap();
        assert_eq!(servers(dir.path()).unwrap(), [ServerAddress::new(&url, &digits)]);
        // What the servers told later counts from then on.
        let later = Zone::at_first(vec![ServerAddress { next: Some("x".into()), ..ServerAddress::new(&url, "y") }]);
        replace_json(&dir.path().join("zone.json"), &later, Durability::Disk).unwrap();
        trust(dir.path(), &url, &digits).unwrap();
        let zone: Zone = read_json(&dir.path().join("zone.json")).unwrap().unwrap();
        assert_eq!(zone.servers, [ServerAddress::new(&url, &digits)], "and the announced one is forgotten");
        let daemon = create_private(&dir.path().join("lock")).unwrap();
        daemon.try_lock().unwrap();
        assert!(matches!(trust(dir.path(), &url, &digits), Err(EnrolError::DaemonRuns)));
    }

    #[test]
    fn the_string_comes_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let enrolment = Enrolment { servers: vec![], key: "k".into() };
        std::fs::write(&path, enrolment.to_text() + "\n").unwrap();
        assert_eq!(read_string(&path).unwrap(), enrolment);
        std::fs::write(&path, "nonsense").unwrap();
        assert!(matches!(read_string(&path), Err(EnrolError::String(_))));
    }
}
