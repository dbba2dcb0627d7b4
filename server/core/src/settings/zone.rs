//! The settings that the whole zone shares. The Primary writes them; the Backup has a copy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FieldError, Messages, Notifications, ProtectedAccount, Security};
use crate::account::{Realms, fold_case};

/// All settings of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ZoneSettings {
    /// Section `general`.
    pub general: General,
    /// Section `agents`.
    pub agents: Agents,
    /// Section `messages`.
    #[serde(default)]
    pub messages: Messages,
    /// Section `notifications`.
    #[serde(default)]
    pub notifications: Notifications,
    /// Section `security`.
    pub security: Security,
    /// Section `retention`.
    pub retention: Retention,
    /// The rules.
    pub protected_accounts: Vec<ProtectedAccount>,
}

/// Which of two rules of equal rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Policy {
    /// The lower limit.
    #[default]
    MostRestrictive,
    /// The higher limit.
    LeastRestrictive,
}

/// What an agent answers when no server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OfflinePolicy {
    /// Everybody may log on.
    #[default]
    Allow,
    /// Nobody may.
    Deny,
    /// Those who logged on to this machine within so many days (1 to 365).
    AllowSeen(u16),
}

/// Section `general`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct General {
    /// The name of the protected zone.
    pub zone_name: String,
    /// Which of two rules of equal rank wins.
    pub policy: Policy,
    /// What agents answer when no server does.
    pub offline_policy: OfflinePolicy,
    /// Whether sessions that a changed rule no longer allows are logged off.
    pub log_off_disallowed: bool,
    /// The zone's time zone, by its IANA name.
    pub time_zone: String,
    /// Sets of realms that are one.
    pub realms: Realms,
}

impl Default for General {
    fn default() -> Self {
        Self {
            zone_name: "zone".into(),
            policy: Policy::default(),
            offline_policy: OfflinePolicy::default(),
            log_off_disallowed: false,
            time_zone: "UTC".into(),
            realms: Realms::default(),
        }
    }
}

/// Which server agents prefer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ContactOrder {
    /// The Primary; the Backup when it fails.
    #[default]
    PrimaryFirst,
    /// The Backup; the Primary when it fails.
    BackupFirst,
}

/// Section `agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    /// The BLAKE3 hash of the zone key, in hex. The key itself is shown once, when it is made.
    pub zone_key_hash: String,
    /// Seconds between two signs of life of an agent that has nothing to say.
    pub heartbeat_seconds: u32,
    /// Seconds of silence after which a machine's sessions are unconfirmed.
    pub unconfirmed_after_seconds: u32,
    /// Which server agents prefer.
    #[serde(default)]
    pub contact_order: ContactOrder,
    /// Milliseconds without an answer of the preferred server after which an agent asks the other one too.
    pub ask_backup_after_ms: u32,
    /// Milliseconds after which an agent decides by its offline policy.
    pub give_up_after_ms: u32,
    /// The most records that an agent keeps on its disk.
    pub spool_cap: u32,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            zone_key_hash: String::new(),
            heartbeat_seconds: 20,
            unconfirmed_after_seconds: 120,
            contact_order: ContactOrder::default(),
            ask_backup_after_ms: 300,
            give_up_after_ms: 2000,
            spool_cap: 100_000,
        }
    }
}

/// Section `retention`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retention {
    /// Hours for which a closed session stays known.
    pub closed_sessions_hours: u32,
    /// Days for which session events stay in the log.
    #[serde(default = "Retention::default_event_log_days")]
    pub event_log_days: u32,
    /// Days for which the application log is kept.
    pub application_log_days: u32,
}

impl Retention {
    fn default_event_log_days() -> u32 {
        Self::default().event_log_days
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { closed_sessions_hours: 24, event_log_days: 365, application_log_days: 90 }
    }
}

/// The most sets of realms and realms of a set.
const MAX_LIST: usize = 1000;

impl ZoneSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        let g = &self.general;
        text("general.zone_name", &g.zone_name, 1, 64)?;
        text("general.time_zone", &g.time_zone, 1, 64)?;
        if !g.time_zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b)) {
            return Err(FieldError::new("general.time_zone", "must be the name of a time zone, such as Europe/Paris"));
        }
        if let OfflinePolicy::AllowSeen(days) = g.offline_policy {
            within("general.offline_policy", u64::from(days), 1, 365)?;
        }
        count("general.realms", g.realms.0.len())?;
        for set in &g.realms.0 {
            count("general.realms", set.len())?;
            if set.len() == 1 {
                let message = "a set needs two realms or more: one alone is the same as itself";
                return Err(FieldError::new("general.realms", message));
            }
            set.iter().try_for_each(|realm| text("general.realms", realm, 0, 255))?;
        }
        let mut known = BTreeSet::new();
        if let Some(twice) = g.realms.0.iter().flatten().find(|realm| !known.insert(fold_case(realm))) {
            let message = format!("{twice} is there twice: realms that are one stand in one set");
            return Err(FieldError::new("general.realms", message));
        }
        let a = &self.agents;
        within("agents.heartbeat_seconds", a.heartbeat_seconds.into(), 1, 3600)?;
        within("agents.unconfirmed_after_seconds", a.unconfirmed_after_seconds.into(), 2, 86_400)?;
        within("agents.ask_backup_after_ms", a.ask_backup_after_ms.into(), 10, 10_000)?;
        within("agents.give_up_after_ms", a.give_up_after_ms.into(), 100, 30_000)?;
        if a.give_up_after_ms <= a.ask_backup_after_ms {
            let message = "must be more than the time after which the other server is asked";
            return Err(FieldError::new("agents.give_up_after_ms", message));
        }
        if a.unconfirmed_after_seconds <= a.heartbeat_seconds {
            let message = "must be more than the heartbeat: every machine would be unconfirmed";
            return Err(FieldError::new("agents.unconfirmed_after_seconds", message));
        }
        within("agents.spool_cap", a.spool_cap.into(), 100, 10_000_000)?;
        self.messages.check()?;
        self.notifications.check()?;
        self.security.check()?;
        within("retention.closed_sessions_hours", self.retention.closed_sessions_hours.into(), 1, 24 * 366)?;
        within("retention.event_log_days", self.retention.event_log_days.into(), 1, 3660)?;
        within("retention.application_log_days", self.retention.application_log_days.into(), 1, 3660)?;
        self.protected_accounts.iter().try_for_each(ProtectedAccount::check)
    }
}

fn text(field: &str, value: &str, min: usize, max: usize) -> Result<(), FieldError> {
    if value.chars().any(char::is_control) {
        return Err(FieldError::new(field, "must not have control characters"));
    }
    let length = value.trim().len();
    if length < min || value.len() > max {
        return Err(FieldError::new(field, format!("must have {min} to {max} characters")));
    }
    Ok(())
}

fn within(field: &str, value: u64, min: u64, max: u64) -> Result<(), FieldError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must be from {min} to {max}, not {value}")))
}

fn count(field: &str, length: usize) -> Result<(), FieldError> {
    if length <= MAX_LIST {
        return Ok(());
    }
    Err(FieldError::new(field, format!("must have at most {MAX_LIST} entries, not {length}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_field_is_named() {
        let mut settings = ZoneSettings::default();
        assert_eq!(settings.check(), Ok(()));
        settings.agents.give_up_after_ms = 0;
        assert_eq!(settings.check().unwrap_err().field, "agents.give_up_after_ms");
        settings = ZoneSettings::default();
        settings.general.time_zone = "Mars?".into();
        assert_eq!(settings.check().unwrap_err().field, "general.time_zone");
        settings.general.realms.0 = vec![vec!["corp".into()]];
        settings.general.time_zone = "UTC".into();
        assert_eq!(settings.check().unwrap_err().field, "general.realms");
        settings.general.realms.0 =
            vec![vec!["corp".into(), "corp.example".into()], vec!["CORP".into(), "other.example".into()]];
        assert!(settings.check().unwrap_err().message.contains("CORP is there twice"));
        settings.general.realms.0 = vec![vec!["corp".into(), "corp.example".into()]];
        settings.general.time_zone = String::new();
        assert_eq!(settings.check().unwrap_err().field, "general.time_zone");
    }
}
