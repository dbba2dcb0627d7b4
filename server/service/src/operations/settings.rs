//! The sections of the settings.

use userlock_agent::client::{AddressError, client_for};
use userlock_core::{
    address::read_fingerprint,
    agent_api::ServerAddress,
    api::{GeneralSection, ReadOnly, Section, ServerRole, SynchronizationSection},
    server::{Input, Output, Refusal as Refused},
    settings::{FieldError, OwnSettings, PrimaryAddress, Right, Rights, Synchronization, ZoneSettings},
};

use super::{check_reason, read_only, refusal_of};
use crate::{
    http::{
        body::check_etag,
        problem::{self, Answer},
        state::App,
    },
    zone::SubmitError,
};

/// How often a change is tried again that another one came before.
const TRIES: usize = 16;

impl App {
    /// Refuses on a Backup.
    ///
    /// # Errors
    /// 409.
    pub fn must_be_primary(&self) -> Answer<()> {
        match self.role() {
            ServerRole::Primary => Ok(()),
            ServerRole::Backup => Err(read_only(self)),
        }
    }

    /// Why the zone's settings cannot be changed here, if so.
    pub(crate) fn read_only_here(&self) -> Option<ReadOnly> {
        (self.role() == ServerRole::Backup).then(|| ReadOnly {
            reason: "This server is a Backup. The settings of the zone are changed on the Primary and come here by synchronization."
                .to_owned(),
            primary_url: self.primary_url(),
            primary_name: self.zone.stored_peer().map(|peer| peer.name).filter(|name| !name.is_empty()),
        })
    }

    /// Changes the zone's settings. Without an `etag` the change is made to whatever the settings are by then.
    pub(super) async fn change_zone<T>(
        &self,
        by: &str,
        section: &str,
        etag: Option<&str>,
        reason: Option<String>,
        change: impl Fn(&mut ZoneSettings) -> Answer<T>,
    ) -> Answer<T> {
        self.must_be_primary()?;
        for _ in 0..TRIES {
            let document = self.zone.read(|server| server.settings.clone());
            if let Some(etag) = etag {
                check_etag(Some(etag), &document.revision.etag())?;
            }
            let mut settings = document.settings.clone();
            let changed = change(&mut settings)?;
            check_reason(reason.as_deref())?;
            if settings == document.settings {
                return Ok(changed);
            }
            let input = Input::ChangeSettings {
                base: document.revision,
                settings: Box::new(settings),
                section: section.to_owned(),
                by: by.to_string(),
                reason: reason.clone(),
            };
            match self.zone.submit(input).await {
                Ok(Output::Settings(_)) => return Ok(changed),
                Ok(_) => return Err(problem::internal()),
                Err(SubmitError::Refused(Refused::Stale(_))) if etag.is_none() => {}
                Err(SubmitError::Refused(Refused::Field(error))) => return Err(within_section(section, error).into()),
                Err(error) => return Err(refusal_of(self, error)),
            }
        }
        Err(problem::unavailable("busy", "The settings are being changed by others all the time. Nothing was changed."))
    }

    /// The `ETag` of the zone's settings as a whole.
    #[must_use]
    pub fn settings_etag(&self) -> String {
        self.zone.read(|server| server.settings.revision.etag())
    }

    /// The section `general`, with what belongs to this server.
    #[must_use]
    pub fn general_section(&self) -> Section<GeneralSection> {
        let (document, name) = self.zone.read(|server| (server.settings.clone(), server.identity.name.clone()));
        let general = document.settings.general.clone();
        Section {
            value: GeneralSection::of(general, self.role(), name, crate::VERSION.to_owned()),
            etag: document.revision.etag(),
            read_only: self.read_only_here(),
        }
    }

    /// Changes the section `general`.
    ///
    /// # Errors
    /// 409, 412, 422.
    pub async fn change_general(
        &self,
        by: &str,
        etag: &str,
        section: GeneralSection,
        reason: Option<String>,
    ) -> Answer<Section<GeneralSection>> {
        self.must_be_primary()?;
        let etag = &self.rebased("general", etag).await?;
        self.check_own_fields(&section)?;
        let general = section.general();
        self.change_zone(by, "general", Some(etag), reason, |settings| {
            // One that was kept by a version that knew it may stay.
            if general.time_zone != settings.general.time_zone {
                general.time_zone.parse::<chrono_tz::Tz>().map_err(|_| {
                    problem::invalid_field(
                        "time_zone",
                        "is no time zone that is known: give its IANA name, such as Europe/Paris",
                    )
                })?;
            }
            settings.general = general.clone();
            Ok(())
        })
        .await?;
        Ok(self.general_section())
    }

    /// Refuses a body that would change what belongs to the server itself.
    ///
    /// # Errors
    /// 422.
    fn check_own_fields(&self, section: &GeneralSection) -> Answer<()> {
        let own = self.general_section().value;
        let fixed = |field: &str, same: bool| {
            if same {
                Ok(())
            } else {
                Err(problem::invalid_field(field, "belongs to each server and cannot be changed here"))
            }
        };
        fixed("role", section.role.is_none() || section.role == own.role)?;
        fixed("server_name", section.server_name.is_none() || section.server_name == own.server_name)?;
        fixed("version", section.version.is_none() || section.version == own.version)
    }

    /// The section `synchronization` of this Backup.
    ///
    /// # Errors
    /// 404 on a Primary.
    pub fn synchronization_section(&self) -> Answer<Section<SynchronizationSection>> {
        let own = self.zone.own();
        let etag = own.etag();
        let value = SynchronizationSection::from(present_synchronization(&own)?.clone());
        Ok(Section { value, etag, read_only: None })
    }

    /// Changes the section `synchronization`. The service account stays: joining changes it. By which certificate the
    /// Primary is known, and that it is called over plain HTTP, only an administrator changes.
    ///
    /// # Errors
    /// 403, 404, 412, 422.
    pub async fn change_synchronization_section(
        &self,
        (by, rights): (&str, Rights),
        etag: &str,
        section: SynchronizationSection,
        reason: Option<String>,
    ) -> Answer<Section<SynchronizationSection>> {
        let changed = self.change_own(by, "synchronization", etag, reason, |own| {
            let present = present_synchronization(own)?;
            if section.service_account != present.service_account {
                let joining = "is changed by joining again, with `userlock setup`";
                return Err(problem::invalid_field("service_account", joining));
            }
            if section.primary_url.trim_end_matches('/') == self.public_url {
                let itself = "is this server's own address: give that of its Primary";
                return Err(problem::invalid_field("primary_url", itself));
            }
            let primary = PrimaryAddress { url: section.primary_url, fingerprint: section.primary_fingerprint };
            let wanted = Synchronization {
                primary: known_by(rights, &present.primary, primary)?,
                enabled: section.enabled,
                interval_seconds: section.interval_seconds,
                continuous: section.continuous,
                service_account: section.service_account,
            };
            wanted.check()?;
            own.synchronization = Some(wanted);
            Ok(())
        });
        if changed.await?
            && let Some(sync) = &self.sync
        {
            sync.settings_changed();
        }
        self.synchronization_section()
    }
}

/// Where the Primary is and how it is known, checked as the client reads it that sends this Backup's token there. The token
/// goes to whoever has the certificate, and over plain HTTP to whoever listens: only an administrator says who that is.
fn known_by(rights: Rights, present: &PrimaryAddress, mut wanted: PrimaryAddress) -> Answer<PrimaryAddress> {
    if wanted == *present {
        return Ok(wanted);
    }
    let other_pin = wanted.fingerprint != present.fingerprint;
    if (other_pin || wanted.is_plain()) && !rights.include(Right::Administer) {
        return Err(problem::beyond_own_rights("Whoever says how the Primary is known"));
    }
    if other_pin && !(wanted.is_plain() && wanted.fingerprint.is_empty()) {
        wanted.fingerprint = read_fingerprint(&wanted.fingerprint).ok_or_else(|| {
            let wrong = "must be the SHA-256 fingerprint of the Primary's certificate: 64 hexadecimal digits, with or without colons";
            problem::invalid_field("primary_fingerprint", wrong)
        })?;
    }
    wanted.check()?;
    let address = ServerAddress::new(wanted.url.clone(), wanted.fingerprint.clone());
    client_for(&address).map_err(|error| match error {
        AddressError::NoFingerprint(_) | AddressError::BadFingerprint(_) => {
            problem::invalid_field("primary_fingerprint", &error.to_string())
        }
        error => problem::invalid_field("primary_url", &error.to_string()),
    })?;
    Ok(wanted)
}

fn present_synchronization(own: &OwnSettings) -> Answer<&Synchronization> {
    own.synchronization.as_ref().ok_or_else(|| problem::not_found("section on a Primary"))
}

/// The field as the section's own body has it.
fn within_section(section: &str, error: FieldError) -> FieldError {
    match error.field.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
        Some(field) => FieldError::new(field, error.message),
        None => error,
    }
}
