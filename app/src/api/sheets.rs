//! The pages of Properties.

use std::collections::BTreeMap;

use leptos::{server, server_fn::codec::GetUrl};

use super::{Refused, text::Json};
use crate::sheet::{Saved, Sheet};
#[cfg(feature = "ssr")]
use crate::sheets::{self, Pages, Sent};

/// A page of Properties.
#[server(name = GetSheet, prefix = "/fn", endpoint = "sheet", input = GetUrl, output = Json)]
pub async fn sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { sheets::sheet(Pages::Properties, ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::Settings), call).await
}

/// A page of Properties > Security.
#[server(name = GetSecuritySheet, prefix = "/fn", endpoint = "security-sheet", input = GetUrl, output = Json)]
pub async fn security_sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { sheets::sheet(Pages::Security, ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::Security), call).await
}

/// A page of Protected accounts.
#[server(name = GetRulesSheet, prefix = "/fn", endpoint = "rules-sheet", input = GetUrl, output = Json)]
pub async fn rules_sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { sheets::sheet(Pages::Rules, ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::ProtectedAccounts), call).await
}

/// The page of one's own account.
#[server(name = GetAccountSheet, prefix = "/fn", endpoint = "account-sheet", input = GetUrl, output = Json)]
pub async fn account_sheet() -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { sheets::sheet(Pages::Account, ports, caller, "account").await };
    super::answer::read_as(super::Right::SignedIn, call).await
}

/// Changes one's own password.
#[server(name = ChangeOwnPassword, prefix = "/fn", endpoint = "change-own-password", output = Json)]
pub async fn change_own_password(
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug: "account".to_owned(), etag: String::new(), given: form, reason };
    let call = |ports, caller, sent| sheets::change(Pages::Account, ports, caller, sent);
    super::answer::submit(Pages::Account, sent, call).await
}

/// Makes, changes or deletes a rule.
#[server(name = ChangeRule, prefix = "/fn", endpoint = "change-rule", output = Json)]
pub async fn change_rule(
    slug: String,
    #[server(default)] etag: String,
    // The form that deletes one has nothing.
    #[server(default)] form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, caller, sent| sheets::change(Pages::Rules, ports, caller, sent);
    super::answer::submit(Pages::Rules, sent, call).await
}

/// Changes a section. Without JavaScript a form that has a test says with `by_enter` that no button was clicked.
#[server(name = ChangeSection, prefix = "/fn", endpoint = "change-section", output = Json)]
pub async fn change_section(
    slug: String,
    etag: String,
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
    #[server(default)] by_enter: bool,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, caller, sent: Sent| async move {
        match by_enter && sheets::is_for_test(&sent) {
            true => sheets::test(ports, &sent).await,
            false => sheets::change(Pages::Properties, ports, caller, sent).await,
        }
    };
    super::answer::submit(Pages::Properties, sent, call).await
}

/// Changes a part of Security.
#[server(name = ChangeSecurity, prefix = "/fn", endpoint = "change-security", output = Json)]
pub async fn change_security(
    slug: String,
    etag: String,
    // A form whose boxes are not ticked has nothing.
    #[server(default)] form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, caller, sent| sheets::change(Pages::Security, ports, caller, sent);
    super::answer::submit(Pages::Security, sent, call).await
}

/// Ends a sign-in on this server.
#[server(name = EndSignIn, prefix = "/fn", endpoint = "end-sign-in", output = Json)]
pub async fn end_sign_in(id: String) -> Result<Saved, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        let id = id.parse().map_err(|_| Refused::field("id", "There is no such sign-in.").0)?;
        ports.end_sign_in(caller, id).await?;
        Ok(Saved { text: "The sign-in has ended.".into(), to: "/properties/security".into(), ..Saved::default() })
    };
    super::answer::act(super::Right::Write(super::Area::Security), call, super::answer::told).await
}

/// Tests the e-mail settings or the database as they stand in the form. Nothing is saved.
#[server(name = TestSection, prefix = "/fn", endpoint = "test-section", output = Json)]
pub async fn test_section(
    slug: String,
    #[server(default)] etag: String,
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, _, sent| async move { sheets::test(ports, &sent).await };
    super::answer::submit(Pages::Properties, sent, call).await
}

/// Makes a new zone key, and tells the string to enrol machines with.
#[server(name = MakeEnrolmentKey, prefix = "/fn", endpoint = "make-enrolment-key", output = Json)]
pub async fn make_enrolment_key(
    slug: String,
    #[server(default)] etag: String,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: BTreeMap::new(), reason };
    let call = |ports, caller, sent| sheets::change(Pages::Enrolment, ports, caller, sent);
    super::answer::submit(Pages::Enrolment, sent, call).await
}

/// Changes what this server is: its place in the zone, or its certificate.
#[server(name = ChangeServer, prefix = "/fn", endpoint = "change-server", output = Json)]
pub async fn change_server(
    slug: String,
    #[server(default)] etag: String,
    // It has a field only where something is ticked.
    #[server(default)] form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, caller, sent| sheets::change(Pages::Server, ports, caller, sent);
    super::answer::submit(Pages::Server, sent, call).await
}

/// Brings back a section as of a revision, or what a section of this server became by a change.
#[server(name = RestoreRevision, prefix = "/fn", endpoint = "restore-revision", output = Json)]
pub async fn restore_revision(
    slug: String,
    etag: String,
    // It has a field only where a password is asked for.
    #[server(default)] form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let sent = Sent { slug, etag, given: form, reason };
    let call = |ports, caller, sent| sheets::change(Pages::History, ports, caller, sent);
    super::answer::submit(Pages::History, sent, call).await
}
