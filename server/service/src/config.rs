//! The configuration: defaults, then what the Configuration wizard was told, then the file, then `USERLOCK_*` of the
//! environment.
//!
//! Only what a server needs before it can read its own settings stands here. A wrong key or value stops the start
//! and is told with its line, its key and what would be right.

mod error;
mod text;
mod told;

use std::{
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use text::Filter;

pub use error::ConfigError;
pub(crate) use text::{Parsed, PublicUrl, ServerName, scheme_fits};
pub use told::{FILE as TOLD_FILE, Given, Told};

/// Names of the environment that begin like ours and are for building and testing.
const NOT_OURS: [&str; 6] = [
    "USERLOCK_BIN_DIR",
    "USERLOCK_CACHE",
    "USERLOCK_CONFIG",
    "USERLOCK_SITE",
    "USERLOCK_WASM_TOOLCHAIN",
    "USERLOCK_SKIP_WASM",
];
/// And prefixes of such names.
const NOT_OURS_PREFIXES: [&str; 2] = ["USERLOCK_TEST_", "USERLOCK_E2E_"];

/// How the program is told to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its state is.
    pub dir: PathBuf,
    /// The server's name, as people read it.
    pub name: String,
    /// The address that agents, the other server and browsers use.
    pub public_url: String,
    /// The certificate and its key, where not those in the data directory.
    pub tls: Option<TlsFiles>,
    /// Whether it speaks HTTP without TLS; on a loopback address only.
    pub plain_http: bool,
    /// What the program writes about itself.
    pub log: LogConfig,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those that signed it behind.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the program writes about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Which messages go to standard error: `info`, or as `tracing` has it.
    pub filter: String,
    /// How they look there.
    pub format: LogFormat,
    /// Whether the application log goes to journald.
    pub journald: Switch,
    /// Whether it goes to syslog, where there is no journald.
    pub syslog: Switch,
}

/// How messages look on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether something is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Where it is there.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// The file, as it is written.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<Parsed<SocketAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Parsed<ServerName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<Parsed<PublicUrl>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain_http: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsSection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogSection>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSection {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct LogSection {
    filter: Option<Parsed<Filter>>,
    format: Option<LogFormat>,
    journald: Option<Switch>,
    syslog: Option<Switch>,
}

impl Config {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line or the variable, the key and the reason.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_given(path).map(|(config, _)| config)
    }

    /// The same, with which of what the Configuration wizard asks is given.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line or the variable, the key and the reason.
    pub fn load_given(path: &Path) -> Result<(Self, Given), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let mut file = ConfigFile::merge(path, &text, env)?;
        let base = path.parent().unwrap_or(Path::new("."));
        let given = Given { name: file.name.is_some(), public_url: file.public_url.is_some() };
        if let Some(dir) = &file.dir {
            let told = Told::read(&base.join(dir))?;
            file.name = file.name.take().or(told.name);
            file.public_url = file.public_url.take().or(told.public_url);
        }
        let completed = file.complete(base).map_err(|error| match error {
            ConfigError::Scheme { url, must, .. } => ConfigError::Scheme { url, must, told: !given.public_url },
            error => error,
        });
        Ok((completed?, given))
    }

    /// Reads the file's text and the environment. Relative paths begin at the file's directory.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line or the variable, the key and the reason.
    pub fn read(path: &Path, text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        ConfigFile::merge(path, text, env)?.complete(path.parent().unwrap_or(Path::new(".")))
    }
}

impl ConfigFile {
    /// The file's text, then the environment.
    fn merge(path: &Path, text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut file: Self = toml::from_str(text).map_err(|e| ConfigError::in_file(path, text, &e))?;
        for (variable, value) in env {
            if variable.starts_with("USERLOCK_") {
                file.set(&variable, &value)?;
            }
        }
        Ok(file)
    }

    /// Takes one variable of the environment.
    fn set(&mut self, variable: &str, value: &str) -> Result<(), ConfigError> {
        let tls = |file: &mut Self| file.tls.take().unwrap_or_default();
        let log = |file: &mut Self| file.log.take().unwrap_or_default();
        match variable {
            "USERLOCK_LISTEN" => self.listen = Some(Parsed(parse(variable, value)?)),
            "USERLOCK_DIR" => self.dir = Some(value.into()),
            "USERLOCK_NAME" => self.name = Some(Parsed(parse(variable, value)?)),
            "USERLOCK_PUBLIC_URL" => self.public_url = Some(Parsed(parse(variable, value)?)),
            "USERLOCK_PLAIN_HTTP" => self.plain_http = Some(parse(variable, value)?),
            "USERLOCK_TLS_CERT" => self.tls = Some(TlsSection { cert: Some(value.into()), ..tls(self) }),
            "USERLOCK_TLS_KEY" => self.tls = Some(TlsSection { key: Some(value.into()), ..tls(self) }),
            "USERLOCK_LOG_FILTER" => {
                self.log = Some(LogSection { filter: Some(Parsed(parse(variable, value)?)), ..log(self) });
            }
            "USERLOCK_LOG_FORMAT" => {
                self.log = Some(LogSection { format: Some(choose(variable, value)?), ..log(self) });
            }
            "USERLOCK_LOG_JOURNALD" => {
                self.log = Some(LogSection { journald: Some(choose(variable, value)?), ..log(self) });
            }
            "USERLOCK_LOG_SYSLOG" => {
                self.log = Some(LogSection { syslog: Some(choose(variable, value)?), ..log(self) });
            }
            _ if NOT_OURS.contains(&variable) => {}
            _ if NOT_OURS_PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) => {}
            _ => return Err(ConfigError::UnknownVariable { variable: variable.to_owned() }),
        }
        Ok(())
    }

    /// Fills in the defaults and checks what concerns several keys.
    fn complete(self, base: &Path) -> Result<Config, ConfigError> {
        let missing = |key, example| ConfigError::Missing { key, example };
        let listen = self.listen.map(|p| p.0).ok_or_else(|| missing("listen", "listen = \"0.0.0.0:8443\""))?;
        let dir = self.dir.ok_or_else(|| missing("dir", "dir = \"/var/lib/userlock\""))?;
        let plain_http = self.plain_http.unwrap_or(false);
        if plain_http && !listen.ip().is_loopback() {
            return Err(ConfigError::PlainHttp { listen });
        }
        let public_url = self.public_url.map_or_else(|| default_url(listen, plain_http), |p| p.0.0);
        if let Err(must) = scheme_fits(&public_url, plain_http) {
            return Err(ConfigError::Scheme { url: public_url, must, told: false });
        }
        let tls = match self.tls.map(|t| (t.cert, t.key)) {
            None | Some((None, None)) => None,
            Some((Some(cert), Some(key))) => Some(TlsFiles { cert: base.join(cert), key: base.join(key) }),
            Some((None, Some(_))) => return Err(missing("tls.cert", "cert = \"server.pem\"")),
            Some((Some(_), None)) => return Err(missing("tls.key", "key = \"server.key\"")),
        };
        let log = self.log.unwrap_or_default();
        Ok(Config {
            listen,
            dir: base.join(dir),
            name: self.name.map_or_else(host_name, |p| p.0.0),
            public_url,
            tls,
            plain_http,
            log: LogConfig {
                filter: log.filter.map_or_else(|| "info".to_owned(), |p| p.0.0),
                format: log.format.unwrap_or_default(),
                journald: log.journald.unwrap_or_default(),
                syslog: log.syslog.unwrap_or_default(),
            },
        })
    }
}

fn parse<T: FromStr<Err: Display>>(variable: &str, value: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|e: T::Err| ConfigError::InEnvironment { variable: variable.to_owned(), reason: e.to_string() })
}

/// Reads a word of an enumeration.
fn choose<T: for<'de> Deserialize<'de>>(variable: &str, value: &str) -> Result<T, ConfigError> {
    let source = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(value);
    T::deserialize(source)
        .map_err(|e| ConfigError::InEnvironment { variable: variable.to_owned(), reason: e.to_string() })
}

/// The address under which a server that listens there is reached: by the host's name where it listens everywhere.
#[must_use]
pub fn default_url(listen: SocketAddr, plain_http: bool) -> String {
    let scheme = if plain_http { "http" } else { "https" };
    if listen.ip().is_unspecified() {
        format!("{scheme}://{}:{}", host_name(), listen.port())
    } else {
        format!("{scheme}://{listen}")
    }
}

/// The host of an address, an IPv6 address without its brackets.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// The host's name; `localhost` where it has none that is text.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().trim().to_lowercase();
    if name.is_empty() || name == "(none)" { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
