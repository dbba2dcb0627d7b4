//! The section `email`.

use userlock_core::{
    api::{EmailSection, EmailTest, Section, TestReport},
    settings::{Email, FieldError},
};

use crate::{
    http::{
        problem::{self, Answer},
        state::App,
    },
    mail,
};

impl App {
    /// The section `email` of this server, without its password.
    #[must_use]
    pub fn email_section(&self) -> Section<EmailSection> {
        let own = self.zone.own();
        Section { value: EmailSection::from(&own.email), etag: own.etag(), read_only: None }
    }

    /// Changes the section `email`.
    ///
    /// # Errors
    /// 412, 422.
    pub async fn change_email(
        &self,
        by: &str,
        etag: &str,
        change: EmailSection,
        reason: Option<String>,
    ) -> Answer<Section<EmailSection>> {
        self.change_own(by, "email", etag, reason, |own| {
            let email = change.applied_to(&own.email)?;
            check(&email)?;
            own.email = email;
            Ok(())
        })
        .await?;
        Ok(self.email_section())
    }

    /// Sends a test message by the settings that are kept or by those that are given, and tells of each step. It takes
    /// no longer than 57 s, all its steps together.
    ///
    /// # Errors
    /// 409 when no mail server is set, 422 with the field; then nothing was tried.
    pub async fn test_email(&self, test: EmailTest) -> Answer<TestReport> {
        let kept = self.zone.own().email;
        let within = |error: FieldError| match error.field.as_str() {
            "to" => error,
            field => FieldError::new(format!("settings.{field}"), error.message),
        };
        mail::mailbox("to", &test.to)?;
        let email = match test.settings {
            Some(settings) => {
                let email = settings.applied_to(&kept).map_err(within)?;
                check(&email).map_err(within)?;
                email
            }
            None => kept,
        };
        if !email.is_set() {
            let detail = "No mail server is set. Set one, or give `settings` with the test. Nothing was sent.";
            return Err(problem::conflict("email_not_set", "No mail server", detail));
        }
        let host = reqwest::Url::parse(&self.public_url).ok();
        let host = host.as_ref().and_then(reqwest::Url::host_str).unwrap_or("localhost");
        let about = self.zone.read(|server| {
            let (role, name) = (server.identity.role.title(), &server.identity.name);
            format!("the {role} server {name} ({})", self.public_url)
        });
        Ok(mail::test(&email, &test.to, host, &about).await.map_err(within)?)
    }
}

fn check(email: &Email) -> Result<(), FieldError> {
    email.check()?;
    if !email.from.is_empty() {
        mail::mailbox("from", &email.from)?;
    }
    Ok(())
}
