//! What the Configuration wizard was told of a server that its configuration does not say: in a file of the data
//! directory, since the configuration's own may be read-only.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{ConfigError, Parsed, PublicUrl, ServerName};

/// The file.
pub const FILE: &str = "server.toml";

/// Which of what the wizard asks is given by the configuration, and cannot be changed there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// The server's name.
    pub name: bool,
    /// Its public address.
    pub public_url: bool,
}

/// What the wizard was told.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Parsed<ServerName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_url: Option<Parsed<PublicUrl>>,
}

impl Told {
    /// What is not given, to be kept. Both must have been checked.
    #[must_use]
    pub fn of(name: &str, public_url: &str, given: Given) -> Self {
        Self {
            name: (!given.name).then(|| Parsed(ServerName(name.to_owned()))),
            public_url: (!given.public_url).then(|| Parsed(PublicUrl(public_url.to_owned()))),
        }
    }

    /// Reads what is in a data directory.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| ConfigError::in_file(&path, &text, &error)),
            // Whoever may not read the data directory does without.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                Ok(Self::default())
            }
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }

    /// Writes it into a data directory.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let mut file = fs::File::create(dir.join(FILE))?;
        writeln!(file, "# Told to the Configuration wizard. The configuration file and USERLOCK_* come before it.")?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Config, *};

    #[test]
    fn what_the_wizard_was_told_holds_where_the_configuration_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let told = Told::of("told", "https://told.example:1", Given::default());
        told.write(dir.path()).unwrap();
        let file = dir.path().join("userlock.toml");
        fs::write(&file, "listen = \"127.0.0.1:1\"\ndir = \".\"\n").unwrap();
        let (config, given) = Config::load_given(&file).unwrap();
        assert_eq!((config.name.as_str(), config.public_url.as_str()), ("told", "https://told.example:1"));
        assert_eq!(given, Given::default());
        fs::write(&file, "listen = \"127.0.0.1:1\"\ndir = \".\"\nname = \"given\"\n").unwrap();
        let (config, given) = Config::load_given(&file).unwrap();
        assert_eq!((config.name.as_str(), config.public_url.as_str()), ("given", "https://told.example:1"));
        assert_eq!(given, Given { name: true, public_url: false });
        fs::write(&file, "listen = \"127.0.0.1:1\"\ndir = \".\"\nplain_http = true\n").unwrap();
        let error = Config::load(&file).unwrap_err().to_string();
        assert!(error.starts_with("`public_url` must begin with http://") && error.contains("server.toml"), "{error}");
        fs::write(dir.path().join(FILE), "nam = 1").unwrap();
        assert!(Config::load(&file).unwrap_err().to_string().contains("server.toml, line 1"));
    }
}
