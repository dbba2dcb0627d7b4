//! The sections General and Synchronization.

use leptos::{server, server_fn::codec::GetUrl};
use userlock_core::api::{GeneralFields, Section, SynchronizationSection};

use super::{Refused, text::Json};

/// The section General.
#[server(name = GetGeneral, prefix = "/fn", endpoint = "general", input = GetUrl, output = Json)]
pub async fn general() -> Result<Section<GeneralFields>, Refused> {
    super::answer::read(|ports| async move { ports.general().await }).await
}

/// The fields of General as a form gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GeneralForm {
    /// The zone's name.
    pub zone_name: String,
    /// `most_restrictive` or `least_restrictive`.
    pub policy: String,
    /// `allow`, `deny` or `allow_seen`.
    pub offline_policy: String,
    /// The days for `allow_seen`.
    pub offline_days: String,
    /// Present when sessions that a changed rule forbids are logged off.
    pub log_off_disallowed: Option<String>,
    /// The IANA name.
    pub time_zone: String,
    /// One set of realms a line, with commas between.
    pub realms: String,
    /// Why.
    pub reason: String,
}

impl GeneralForm {
    /// The fields, checked as far as their form goes.
    ///
    /// # Errors
    /// [`Refused`] names the field.
    pub fn fields(&self) -> Result<GeneralFields, Refused> {
        use userlock_core::{
            account::Realms,
            settings::{OfflinePolicy, Policy},
        };
        let policy = match self.policy.as_str() {
            "most_restrictive" => Policy::MostRestrictive,
            "least_restrictive" => Policy::LeastRestrictive,
            _ => return Err(Refused::field("policy", "Choose most or least restrictive.")),
        };
        let offline_policy = match self.offline_policy.as_str() {
            "allow" => OfflinePolicy::Allow,
            "deny" => OfflinePolicy::Deny,
            "allow_seen" => {
                let days = self.offline_days.trim().parse().ok().filter(|d| (1..=365).contains(d));
                OfflinePolicy::AllowSeen(
                    days.ok_or_else(|| Refused::field("offline_days", "Must be from 1 to 365 days."))?,
                )
            }
            _ => return Err(Refused::field("offline_policy", "Choose what agents answer.")),
        };
        let realms = self.realms.lines().filter(|line| !line.trim().is_empty());
        let realms = realms.map(|line| line.split(',').map(|realm| realm.trim().to_owned()).collect()).collect();
        Ok(GeneralFields {
            zone_name: self.zone_name.trim().to_owned(),
            policy,
            offline_policy,
            log_off_disallowed: self.log_off_disallowed.is_some(),
            time_zone: self.time_zone.trim().to_owned(),
            realms: Realms(realms),
        })
    }
}

/// Changes the section General.
#[server(name = ChangeGeneral, prefix = "/fn", endpoint = "change-general", output = Json)]
pub async fn change_general(etag: String, form: GeneralForm) -> Result<Section<GeneralFields>, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        let fields = match form.fields() {
            Ok(fields) => fields,
            // A server that refuses every change must say that first, whatever the fields are.
            Err(refused) => return Err(ports.general().await?.read_only.map_or(refused.0, |r| read_only(&r.reason))),
        };
        ports.change_general(caller, etag, fields, crate::present::words::given(&form.reason)).await
    };
    super::answer::act(super::Right::Administer, call, |_: &Section<GeneralFields>| {
        super::answer::Told::here("Saved. The Backup has it within seconds.")
    })
    .await
}

/// The refusal of every change on a Backup.
#[cfg(feature = "ssr")]
pub(super) fn read_only(reason: &str) -> userlock_core::api::Problem {
    super::refused::problem(409, "read_only_on_backup", "This cannot be changed here", reason)
}

/// The section Synchronization of a Backup.
#[server(name = GetSynchronizationSection, prefix = "/fn", endpoint = "synchronization-section", input = GetUrl, output = Json)]
pub async fn synchronization_section() -> Result<Section<SynchronizationSection>, Refused> {
    super::answer::read(|ports| async move { ports.synchronization_section().await }).await
}

/// The fields of Synchronization as a form gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SynchronizationForm {
    /// The Primary's address.
    pub primary_url: String,
    /// Present when scheduled runs are wanted.
    pub enabled: Option<String>,
    /// How many of `unit` are between two of them.
    pub interval: String,
    /// `seconds`, `minutes` or `hours`.
    pub unit: String,
    /// Present when the Primary is tailed between two runs.
    pub continuous: Option<String>,
    /// Why.
    pub reason: String,
}

impl SynchronizationForm {
    /// The interval in seconds.
    ///
    /// # Errors
    /// [`Refused`] when it is not from one second to 24 hours.
    pub fn interval_seconds(&self) -> Result<u32, Refused> {
        let unit = match self.unit.as_str() {
            "seconds" => 1,
            "minutes" => 60,
            "hours" => 3600,
            _ => return Err(Refused::field("unit", "Choose seconds, minutes or hours.")),
        };
        let count = self.interval.trim().parse::<u32>().ok();
        let seconds = count.and_then(|n| n.checked_mul(unit)).filter(|s| (1..=86_400).contains(s));
        seconds.ok_or_else(|| Refused::field("interval", "Must be from 1 second to 24 hours."))
    }
}

/// Changes the section Synchronization.
#[server(name = ChangeSynchronizationSection, prefix = "/fn", endpoint = "change-synchronization-section", output = Json)]
pub async fn change_synchronization_section(
    etag: String,
    form: SynchronizationForm,
) -> Result<Section<SynchronizationSection>, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        let before = ports.synchronization_section().await?;
        let section = SynchronizationSection {
            primary_url: form.primary_url.trim().to_owned(),
            enabled: form.enabled.is_some(),
            interval_seconds: form.interval_seconds().map_err(|refused| refused.0)?,
            continuous: form.continuous.is_some(),
            ..before.value
        };
        let reason = crate::present::words::given(&form.reason);
        ports.change_synchronization_section(caller, etag, section, reason).await
    };
    super::answer::act(super::Right::Administer, call, |_: &Section<SynchronizationSection>| {
        super::answer::Told::here("Saved. It holds from now on.")
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit_and_bounds() {
        let seconds = |interval: &str, unit: &str| {
            SynchronizationForm { interval: interval.into(), unit: unit.into(), ..Default::default() }
                .interval_seconds()
                .ok()
        };
        assert_eq!(seconds("1", "minutes"), Some(60));
        assert_eq!(seconds(" 24 ", "hours"), Some(86_400));
        for (interval, unit) in
            [("0", "seconds"), ("25", "hours"), ("4294967295", "hours"), ("", "minutes"), ("1", "days")]
        {
            assert_eq!(seconds(interval, unit), None, "{interval} {unit}");
        }
    }

    #[test]
    fn realms_are_read_line_by_line() {
        let form = GeneralForm {
            policy: "most_restrictive".into(),
            offline_policy: "allow_seen".into(),
            offline_days: "30".into(),
            realms: "CORP, corp.example\n\n north ,north.example".into(),
            ..Default::default()
        };
        let fields = form.fields().unwrap();
        assert_eq!(fields.realms.0, [["CORP", "corp.example"], ["north", "north.example"]]);
        let bad = GeneralForm { offline_days: "0".into(), ..form };
        assert_eq!(bad.fields().unwrap_err().0.field.as_deref(), Some("offline_days"));
    }
}
