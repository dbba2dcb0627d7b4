//! The names of sessions, of boots and of logons.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{id::Digest, record::Machine};

/// The name of a session: never used twice.
///
/// As text `BOOT-LOGON@MACHINE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The machine on which it is.
    pub machine: Machine,
    /// That machine's boot.
    pub boot: BootId,
    /// The logon within the boot.
    pub logon: LogonId,
}

/// The boot of a machine (on Linux `/proc/sys/kernel/random/boot_id` without its dashes).
pub type BootId = Digest;

/// The logon within a boot, as the agent names it: letters, digits, `.` and `_`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LogonId(Arc<str>);

/// Why a text is not the name of a logon or of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a session")]
pub struct InvalidKey;

impl LogonId {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidKey`] when it is empty, too long or has another character.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let fits = (1..=64).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_');
        if fits && clean { Ok(Self(text.into())) } else { Err(InvalidKey) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LogonId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@{}", self.boot, self.logon.0, self.machine)
    }
}

impl FromStr for SessionKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (id, machine) = text.split_once('@').ok_or(InvalidKey)?;
        let (boot, logon) = id.split_once('-').ok_or(InvalidKey)?;
        if machine.is_empty() || machine.len() > crate::record::MAX_MACHINE_BYTES {
            return Err(InvalidKey);
        }
        Ok(Self { machine: machine.into(), boot: boot.parse().map_err(|_| InvalidKey)?, logon: LogonId::new(logon)? })
    }
}

impl Serialize for SessionKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
