//! The pages of Properties.

use std::collections::BTreeMap;

use leptos::{server, server_fn::codec::GetUrl};

use userlock_core::api::TestReport;

use super::{Refused, text::Json};
use crate::sheet::{Saved, Sheet};

/// A page of Properties.
#[server(name = GetSheet, prefix = "/fn", endpoint = "sheet", input = GetUrl, output = Json)]
pub async fn sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { crate::sheets::sheet(ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::Settings), call).await
}

/// A page of Properties > Security.
#[server(name = GetSecuritySheet, prefix = "/fn", endpoint = "security-sheet", input = GetUrl, output = Json)]
pub async fn security_sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { crate::sheets::security_sheet(ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::Security), call).await
}

/// A page of Protected accounts.
#[server(name = GetRulesSheet, prefix = "/fn", endpoint = "rules-sheet", input = GetUrl, output = Json)]
pub async fn rules_sheet(slug: String) -> Result<Sheet, Refused> {
    let call = |ports, caller| async move { crate::sheets::rules_sheet(ports, caller, &slug).await };
    super::answer::read_as(super::Right::Read(super::Area::ProtectedAccounts), call).await
}

/// Makes, changes or deletes a rule.
#[server(name = ChangeRule, prefix = "/fn", endpoint = "change-rule", output = Json)]
pub async fn change_rule(
    slug: String,
    #[server(default)] etag: String,
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let reason = crate::present::words::given(&reason);
    let call = |ports, caller| crate::sheets::change_rule(ports, caller, slug, etag, form, reason);
    super::answer::act(super::Right::Write(super::Area::ProtectedAccounts), call, told).await
}

#[cfg(feature = "ssr")]
fn told(saved: &Saved) -> super::answer::Told {
    let text = saved.text.clone();
    let told = match saved.to.is_empty() {
        true => super::answer::Told::here(text),
        false => super::answer::Told::at(saved.to.clone(), text),
    };
    super::answer::Told { secret: saved.secret.clone(), ..told }
}

/// Changes a section.
#[server(name = ChangeSection, prefix = "/fn", endpoint = "change-section", output = Json)]
pub async fn change_section(
    slug: String,
    etag: String,
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let reason = crate::present::words::given(&reason);
    let call = |ports, caller| crate::sheets::change(ports, caller, slug, etag, form, reason);
    super::answer::act(super::Right::Write(super::Area::Settings), call, told).await
}

/// Changes a part of Security.
#[server(name = ChangeSecurity, prefix = "/fn", endpoint = "change-security", output = Json)]
pub async fn change_security(
    slug: String,
    etag: String,
    form: BTreeMap<String, String>,
    #[server(default)] reason: String,
) -> Result<Saved, Refused> {
    let reason = crate::present::words::given(&reason);
    let call = |ports, caller| crate::sheets::change_security(ports, caller, slug, etag, form, reason);
    super::answer::act(super::Right::Write(super::Area::Security), call, told).await
}

/// Ends a sign-in on this server.
#[server(name = EndSignIn, prefix = "/fn", endpoint = "end-sign-in", output = Json)]
pub async fn end_sign_in(id: String) -> Result<Saved, Refused> {
    let call = |ports: crate::ports::SharedPorts, caller| async move {
        let id = id.parse().map_err(|_| Refused::field("id", "There is no such sign-in.").0)?;
        ports.end_sign_in(caller, id).await?;
        Ok(Saved { text: "The sign-in has ended.".into(), to: "/properties/security".into(), ..Saved::default() })
    };
    super::answer::act(super::Right::Write(super::Area::Security), call, told).await
}

/// Tests the e-mail settings or the database as they are kept.
#[server(name = TestSection, prefix = "/fn", endpoint = "test-section", output = Json)]
pub async fn test_section(slug: String, #[server(default)] to: String) -> Result<TestReport, Refused> {
    let call = |ports, _| crate::sheets::test_section(ports, slug, to);
    super::answer::act(super::Right::Write(super::Area::Settings), call, |report: &TestReport| super::answer::Told {
        ok: report.ok,
        ..super::answer::Told::here(crate::present::words::test_result(report))
    })
    .await
}

/// Removes the Backup from the zone.
#[server(name = RemoveBackup, prefix = "/fn", endpoint = "remove-backup", output = Json)]
pub async fn remove_backup(reason: String) -> Result<Saved, Refused> {
    let call = |ports, caller| crate::sheets::remove_backup(ports, caller, reason);
    super::answer::act(super::Right::Administer, call, told).await
}

/// Takes this server out of its zone.
#[server(name = LeaveZone, prefix = "/fn", endpoint = "leave-zone", output = Json)]
pub async fn leave_zone(reason: String) -> Result<Saved, Refused> {
    let call = |ports, caller| crate::sheets::leave_zone(ports, caller, reason);
    super::answer::act(super::Right::Administer, call, told).await
}

/// Makes the next certificate of this server.
#[server(name = PrepareCertificate, prefix = "/fn", endpoint = "prepare-certificate", output = Json)]
pub async fn prepare_certificate(reason: String) -> Result<Saved, Refused> {
    let call = |ports, caller| crate::sheets::prepare_certificate(ports, caller, reason);
    super::answer::act(super::Right::Administer, call, told).await
}

/// Uses the next certificate of this server.
#[server(name = UseCertificate, prefix = "/fn", endpoint = "use-certificate", output = Json)]
pub async fn use_certificate(reason: String, #[server(default)] at_once: bool) -> Result<Saved, Refused> {
    let call = |ports, caller| crate::sheets::use_certificate(ports, caller, reason, at_once);
    super::answer::act(super::Right::Administer, call, told).await
}

/// Gives the next certificate of this server up.
#[server(name = DiscardCertificate, prefix = "/fn", endpoint = "discard-certificate", output = Json)]
pub async fn discard_certificate(reason: String) -> Result<Saved, Refused> {
    let call = |ports, caller| crate::sheets::discard_certificate(ports, caller, reason);
    super::answer::act(super::Right::Administer, call, told).await
}

/// Brings back what a section of this server became by a change.
#[server(name = RestoreOwnRevision, prefix = "/fn", endpoint = "restore-own-revision", output = Json)]
pub async fn restore_own_revision(n: u64, etag: String, #[server(default)] reason: String) -> Result<Saved, Refused> {
    let reason = crate::present::words::given(&reason);
    let call = |ports, caller| crate::sheets::restore_own(ports, caller, n, etag, reason);
    super::answer::act(super::Right::Write(super::Area::Settings), call, told).await
}

/// Brings back a section as of a revision.
#[server(name = RestoreRevision, prefix = "/fn", endpoint = "restore-revision", output = Json)]
pub async fn restore_revision(n: u64, etag: String, #[server(default)] reason: String) -> Result<Saved, Refused> {
    let reason = crate::present::words::given(&reason);
    let call = |ports, caller| crate::sheets::restore(ports, caller, n, etag, reason);
    super::answer::act(super::Right::Write(super::Area::Settings), call, told).await
}
