//! The section Synchronization.

use leptos::{server, server_fn::codec::GetUrl};
use userlock_core::api::{Section, SynchronizationSection};

use super::{Refused, text::Json};

/// The section Synchronization of a Backup.
#[server(name = GetSynchronizationSection, prefix = "/fn", endpoint = "synchronization-section", input = GetUrl, output = Json)]
pub async fn synchronization_section() -> Result<Section<SynchronizationSection>, Refused> {
    super::answer::read(super::Right::Read(super::Area::Settings), |ports| async move {
        ports.synchronization_section().await
    })
    .await
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
    super::answer::act(super::Right::Write(super::Area::Settings), call, |_: &Section<SynchronizationSection>| {
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
}
