//! Secrets come in files, and go out to files that only their owner reads.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::Failure;

/// The largest file of a secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a secret: the file's first line, without its end.
pub fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    fs::File::open(path).map_err(failed)?.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(format!("{} is empty", path.display()).into());
    }
    Ok(line.to_owned())
}

/// Writes a secret to a file, or to standard output without one.
pub fn write(secret: &str, path: Option<&Path>) -> Result<(), Failure> {
    let line = format!("{secret}\n");
    let Some(path) = path else {
        return Ok(std::io::stdout().write_all(line.as_bytes())?);
    };
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    // One that is there already may be readable by others: it is made anew.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error).into()),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    Ok(file.write_all(line.as_bytes()).map_err(failed)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_read_back_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "old").unwrap();
        write("new", Some(&path)).unwrap();
        assert_eq!(read(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "\n").unwrap();
        assert!(read(&path).is_err());
        assert!(read(&dir.path().join("none")).is_err());
    }
}
