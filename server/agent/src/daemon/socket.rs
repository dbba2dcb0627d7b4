//! The socket that only root may use.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

use super::machine::Machine;
use crate::{
    files::FileError,
    hook::{Answer, MAX_LINE_BYTES, Request},
    reporter::Reporter,
};

/// How long a caller may take to say what it wants, or to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most callers at once.
const MAX_CALLERS: usize = 512;

/// Binds the socket; a folder that is made for it lets only root in.
///
/// # Errors
/// [`FileError`], also when another daemon listens there.
pub(super) fn bind(path: &Path) -> Result<UnixListener, FileError> {
    let wrong = |error| FileError::new("listen on", path)(error);
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        if !dir.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(FileError::new("create", dir))?;
        } else if fs::metadata(dir).map_err(FileError::new("look at", dir))?.permissions().mode() & 0o022 != 0 {
            tracing::warn!(path = %dir.display(), "others than root may write to the folder of the socket");
        }
    }
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(wrong(std::io::Error::other("another daemon listens there")));
        }
        fs::remove_file(path).map_err(FileError::new("remove", path))?;
    }
    let listener = UnixListener::bind(path).map_err(wrong)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(FileError::new("set the mode of", path))?;
    Ok(listener)
}

/// Serves callers for ever.
pub(super) async fn serve(listener: UnixListener, machine: Arc<Machine>, reporter: Arc<Reporter>) {
    let callers = Arc::new(Semaphore::new(MAX_CALLERS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&callers).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!(%error, "a caller could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (machine, reporter) = (Arc::clone(&machine), Arc::clone(&reporter));
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &machine, &reporter).await {
                tracing::debug!(%error, "a caller went away");
            }
            drop(permit);
        });
    }
}

async fn answer(mut stream: UnixStream, machine: &Machine, reporter: &Reporter) -> std::io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    // A daemon that does not run as root is one that is tried out: whoever runs it may use it.
    if caller != 0 && caller != rustix::process::geteuid().as_raw() {
        tracing::warn!(caller.uid = caller, "somebody who is not root called");
        return Ok(());
    }
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(MAX_LINE_BYTES as u64));
    timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await??;
    let answer = match serde_json::from_slice(&line) {
        Ok(Request::Pam(call)) => machine.answer(reporter, call).await,
        Ok(Request::Status) => Answer::Status { agent: Box::new(reporter.status()), sessions: machine.open_sessions() },
        Err(error) => Answer::Failed { error: format!("not understood: {error}") },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}
