//! Who may use the wizard: whoever can read the one-time code on this machine.

use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq as _;
use userlock_core::api::LogEvent;

use crate::{
    clock,
    config::LogConfig,
    log::{SOURCE, SystemLog, SystemLogPaths, catalogue, details},
    random::{self, NoRandomness},
};

/// The signs of a code: none that look alike.
const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// How many there are: 60 bits, and attempts are limited.
const LENGTH: usize = 12;
/// The most browsers that have the wizard open; the first ones are forgotten.
const MAX_DOORS: usize = 16;

/// How the wizard is opened. It is told on standard error and to the journal of this machine, and nowhere else.
pub struct Way {
    /// Where it is.
    pub url: String,
    /// The data directory that will be set up.
    pub dir: PathBuf,
    /// The server's certificate; empty for plain HTTP.
    pub fingerprint: String,
    /// The one-time code.
    pub code: String,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "No server is set up in {}. The Configuration wizard waits in a browser:", self.dir.display())?;
        writeln!(f, "  address        {}", self.url)?;
        if !self.fingerprint.is_empty() {
            writeln!(f, "  certificate    sha256 {}", self.fingerprint)?;
        }
        writeln!(f, "  one-time code  {}", self.code)?;
        f.write_str("The code is good until the wizard is finished. Each start makes another one.")
    }
}

impl Way {
    /// Tells journald, unless standard error goes there anyway. syslog is not told: it may leave the machine.
    pub fn tell_journal(&self, config: &LogConfig) {
        if std::env::var_os("JOURNAL_STREAM").is_some() {
            return;
        }
        let log = SystemLog::find(config, &SystemLogPaths::default());
        if matches!(log, SystemLog::Journald(..)) {
            log.send(&LogEvent {
                number: 0,
                id: catalogue::NOT_SET_UP.id,
                source: SOURCE.to_owned(),
                level: catalogue::NOT_SET_UP.level,
                at: clock::now_ms(),
                message: self.to_string(),
                details: details([("address", &self.url), ("dir", &self.dir.display())]),
            });
        }
    }
}

/// The one-time code.
pub(super) struct Code(String);

impl Code {
    pub(super) fn draw() -> Result<Self, NoRandomness> {
        let sign = |byte: u8| SIGNS.get(usize::from(byte % 32)).copied().map_or('A', char::from);
        Ok(Self(random::bytes::<LENGTH>()?.into_iter().map(sign).collect()))
    }

    /// In groups, as it is read.
    pub(super) fn shown(&self) -> String {
        let groups: Vec<String> =
            self.0.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join("-")
    }

    /// Whether this is the code, however it was typed. How long that takes tells nothing of the code.
    pub(super) fn is(&self, typed: &str) -> bool {
        let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect();
        let (typed, code) = (random::hash_secret(&typed.to_uppercase()), random::hash_secret(&self.0));
        bool::from(typed.as_bytes().ct_eq(code.as_bytes()))
    }
}

/// The browsers that the code was typed into: each has a cookie of its own.
pub(super) struct Doors {
    cookie: String,
    secure: bool,
    open: Mutex<Vec<String>>,
}

impl Doors {
    pub(super) fn new(secure: bool, port: u16) -> Self {
        let prefix = if secure { "__Host-" } else { "" };
        Self { cookie: format!("{prefix}userlock-wizard-{port}"), secure, open: Mutex::default() }
    }

    /// Opens the wizard to one more browser; the answer is the `Set-Cookie` header.
    pub(super) fn open(&self) -> Result<HeaderValue, NoRandomness> {
        let secret = random::secret("")?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_DOORS {
            open.remove(0);
        }
        open.push(random::hash_secret(&secret));
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie);
        Ok(HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("")))
    }

    /// The `Set-Cookie` header by which a browser forgets that it had the wizard open.
    pub(super) fn forget(&self) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}", self.cookie);
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
    }

    /// Whether the code was typed into this browser.
    pub(super) fn is_open_to(&self, headers: &HeaderMap) -> bool {
        let mut secrets = self.brought(headers).map(random::hash_secret);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.any(|secret| open.iter().any(|door| bool::from(door.as_bytes().ct_eq(secret.as_bytes()))))
    }

    /// Whether a code was once typed into this browser, one of this start or of an earlier one.
    pub(super) fn was_open_to(&self, headers: &HeaderMap) -> bool {
        self.brought(headers).next().is_some()
    }

    /// What a browser brings in the cookies of this name.
    fn brought<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == self.cookie).map(|(_, secret)| secret).take(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let code = Code::draw().unwrap();
        let shown = code.shown();
        assert_eq!(shown.len(), 14);
        assert!(shown.split('-').all(|group| group.len() == 4), "{shown}");
        assert!(code.is(&shown) && code.is(&format!(" {} ", shown.to_lowercase().replace('-', " "))));
        assert!(!code.is("") && !code.is(&shown[1..]) && !code.is(&format!("{shown}A")));
        assert!(!Code::draw().unwrap().is(&shown));
    }

    #[test]
    fn each_browser_has_a_door_of_its_own() {
        let doors = Doors::new(true, 8443);
        let cookie = doors.open().unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.starts_with("__Host-userlock-wizard-8443=") && cookie.contains("HttpOnly; SameSite=Strict; Secure")
        );
        let with = |value: &str| HeaderMap::from_iter([(header::COOKIE, value.parse().unwrap())]);
        let sent = cookie.split(';').next().unwrap();
        assert!(doors.is_open_to(&with(&format!("other=1; {sent}"))));
        assert!(!doors.is_open_to(&with("__Host-userlock-wizard-8443=00")));
        assert!(!doors.is_open_to(&HeaderMap::new()));
        for _ in 0..MAX_DOORS {
            doors.open().unwrap();
        }
        assert!(!doors.is_open_to(&with(sent)), "the first one is forgotten");
    }
}
