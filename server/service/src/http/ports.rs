//! What the pages need, done by [`App`].

use std::time::Duration;

use serde_json::{Map, Value};
use userlock_app::{
    api::Caller,
    ports::{Answer, Changed, Compared, Ports},
};
use userlock_core::{
    account::fold_case,
    api::{
        ActionRequest, ActionResponse, CertificatesView, DatabaseStatus, DatabaseTest, EmailTest, Level, LogEvent,
        LogQuery, Overview, OwnRevision, Page, Problem, ProtectedAccountView, ReadOnly, RevisionView, RunStarted,
        RunView, Section, SectionBody, ServerRole, SessionQuery, SessionView, SignInView, SyncKind,
        SynchronizationView, TestReport,
    },
    event::SessionKey,
    id::{DecisionId as RuleId, Digest, RunId},
    settings::{ProtectedAccount, ProtectedAccountInput, Secret},
};

use super::{body::page_limit, problem, state::App};
use crate::{
    clock,
    log::catalogue,
    operations::{OwnPassword, TokenRequest, typed},
};

/// A page does not wait longer than this for what is counted in the database; it is shown without it.
const PAGE_COUNTS: Duration = Duration::from_millis(10);

/// An answer of the HTTP interface as one of a port.
fn answer<'a, T: 'a>(work: impl Future<Output = problem::Answer<T>> + Send + 'a) -> Answer<'a, T> {
    Box::pin(async move { work.await.map_err(Problem::from) })
}

/// The `ETag` of a form that has one.
fn given(etag: &str) -> Option<&str> {
    Some(etag).filter(|etag| !etag.is_empty())
}

impl Ports for App {
    fn overview(&self) -> Answer<'_, Overview> {
        answer(self.overview())
    }

    fn sessions(&self, query: SessionQuery) -> Answer<'_, Page<SessionView>> {
        answer(self.sessions(query))
    }

    fn act_on_session(&self, caller: Caller, key: SessionKey, request: ActionRequest) -> Answer<'_, ActionResponse> {
        answer(async move { self.act_on_session(&caller.name, key, request).await })
    }

    fn synchronization(&self) -> Answer<'_, SynchronizationView> {
        answer(self.synchronization())
    }

    fn synchronize_events(&self, caller: Caller) -> Answer<'_, RunStarted> {
        answer(async move { self.synchronize(&caller.name, SyncKind::Events, false) })
    }

    fn synchronize_sessions(&self, caller: Caller, preview: bool) -> Answer<'_, RunStarted> {
        answer(async move { self.synchronize(&caller.name, SyncKind::Sessions, preview) })
    }

    fn run(&self, run: RunId, wait_seconds: u32) -> Answer<'_, RunView> {
        answer(self.run(run, wait_seconds))
    }

    fn cancel_run(&self, _caller: Caller, run: RunId) -> Answer<'_, RunView> {
        answer(self.cancel_run(run))
    }

    fn test_connection(&self, _caller: Caller) -> Answer<'_, TestReport> {
        answer(self.test_connection())
    }

    fn protected_accounts(
        &self,
        limit: u32,
        cursor: Option<String>,
    ) -> Answer<'_, Section<Page<ProtectedAccountView>>> {
        answer(async move { self.protected_accounts(page_limit(Some(limit))?, cursor.as_deref()) })
    }

    fn protected_account(&self, id: RuleId) -> Answer<'_, Section<ProtectedAccountView>> {
        answer(async move { self.protected_account(id) })
    }

    fn create_protected_account(
        &self,
        caller: Caller,
        input: ProtectedAccountInput,
    ) -> Answer<'_, ProtectedAccountView> {
        answer(async move { self.create_protected_account(&caller.name, input).await })
    }

    fn change_protected_account(
        &self,
        caller: Caller,
        id: RuleId,
        etag: String,
        input: ProtectedAccountInput,
    ) -> Answer<'_, ProtectedAccountView> {
        answer(async move { self.change_protected_account(&caller.name, id, &etag, input).await })
    }

    fn delete_protected_account(
        &self,
        caller: Caller,
        id: RuleId,
        etag: String,
        reason: Option<String>,
    ) -> Answer<'_, ()> {
        answer(async move { self.delete_protected_account(&caller.name, id, &etag, reason).await })
    }

    fn section(&self, slug: String) -> Answer<'_, SectionBody> {
        answer(async move { self.section(&slug) })
    }

    fn section_before(&self, slug: String, etag: String) -> Answer<'_, Option<Value>> {
        answer(async move { self.section_before(&slug, &etag).await })
    }

    fn rule_before(&self, id: RuleId, etag: String) -> Answer<'_, Option<ProtectedAccount>> {
        answer(async move { Ok(self.rule_before(id, &etag).await) })
    }

    fn change_section(
        &self,
        caller: Caller,
        slug: String,
        etag: String,
        fields: Map<String, Value>,
        reason: Option<String>,
    ) -> Answer<'_, SectionBody> {
        answer(async move { self.change_section((&caller.name, caller.rights), &slug, &etag, &fields, reason).await })
    }

    fn check_base(&self, slug: String, etag: String) -> Answer<'_, ()> {
        answer(async move { self.check_base(&slug, given(&etag)).await })
    }

    fn check_rule_base(&self, id: RuleId, etag: String) -> Answer<'_, ()> {
        answer(async move { self.check_rule_base(id, given(&etag)) })
    }

    fn check_security(&self, caller: Caller, fields: Map<String, Value>) -> Answer<'_, ()> {
        answer(async move { self.try_security(caller.rights, &fields).map(|_| ()) })
    }

    fn make_token(
        &self,
        caller: Caller,
        name: String,
        role: String,
        days: Option<u32>,
        reason: Option<String>,
    ) -> Answer<'_, String> {
        let expires = days.map(|days| clock::now_ms() + i64::from(days) * 86_400_000);
        let request = TokenRequest { name, role, expires, replace: false, reason };
        answer(async move { Ok(self.create_token(&caller.name, caller.rights, request).await?.token) })
    }

    fn sign_ins(&self, caller: Caller) -> Answer<'_, Page<SignInView>> {
        answer(async move { Ok(self.list_sign_ins(caller.sign_in)) })
    }

    fn end_sign_in(&self, caller: Caller, id: Digest) -> Answer<'_, ()> {
        answer(async move { self.end_sign_in(&caller.name, id).await })
    }

    fn speaks_tls(&self) -> bool {
        self.secure
    }

    fn read_only(&self) -> Option<ReadOnly> {
        self.read_only_here()
    }

    fn change_own_password(
        &self,
        caller: Caller,
        current: String,
        new: String,
        reason: Option<String>,
    ) -> Answer<'_, Option<String>> {
        let request = OwnPassword { current: Secret::new(current), new: Secret::new(new), reason };
        answer(async move {
            let cookie = self.change_own_password(caller.sign_in, &caller.address, request).await?;
            Ok(cookie.and_then(|cookie| cookie.to_str().ok().map(str::to_owned)))
        })
    }

    fn service_account(&self) -> Option<(String, String)> {
        let peer = self.zone.stored_peer().filter(|_| self.role() == ServerRole::Primary)?;
        Some((fold_case(&peer.account), peer.name))
    }

    fn revisions(&self, caller: Caller, limit: Option<u32>, cursor: String) -> Answer<'_, Page<RevisionView>> {
        answer(async move { self.revisions(caller.rights, None, limit, Some(&cursor)).await })
    }

    fn revision(&self, caller: Caller, n: u64, with: Option<u64>) -> Answer<'_, Compared> {
        answer(async move {
            let (revision, before, differing) = self.compare_revisions(caller.rights, n, with).await?;
            let changes = differing.into_iter().map(|(path, from, to)| Changed { path, from, to });
            Ok(Compared { revision, before, changes: changes.collect() })
        })
    }

    fn make_enrolment_key(&self, caller: Caller, reason: Option<String>) -> Answer<'_, String> {
        answer(async move { Ok(self.create_enrolment_key(&caller.name, reason).await?.enrolment) })
    }

    fn remove_backup(&self, caller: Caller, reason: String) -> Answer<'_, ()> {
        answer(async move { self.remove_backup(&caller.name, &reason).await })
    }

    fn certificates(&self) -> Answer<'_, CertificatesView> {
        answer(async move { self.certificates_view() })
    }

    fn prepare_certificate(&self, caller: Caller, reason: String) -> Answer<'_, CertificatesView> {
        answer(async move { self.prepare_certificate(&caller.name, &reason).await })
    }

    fn use_certificate(&self, caller: Caller, reason: String, at_once: bool) -> Answer<'_, CertificatesView> {
        answer(async move { self.use_certificate(&caller.name, &reason, at_once).await })
    }

    fn discard_certificate(&self, caller: Caller, reason: String) -> Answer<'_, CertificatesView> {
        answer(async move { self.discard_certificate(&caller.name, &reason).await })
    }

    fn leave_zone(&self, caller: Caller, reason: String) -> Answer<'_, ()> {
        answer(async move { self.leave_zone(&caller.name, &reason).await })
    }

    fn own_revisions(&self) -> Answer<'_, Vec<OwnRevision>> {
        answer(self.own_revisions(50, None))
    }

    fn own_revision(&self, n: u64) -> Answer<'_, OwnRevision> {
        answer(self.own_revision(n))
    }

    fn restore_own(
        &self,
        caller: Caller,
        n: u64,
        etag: String,
        reason: Option<String>,
        password: Option<String>,
    ) -> Answer<'_, String> {
        let password = password.map(Secret::new);
        answer(async move { self.go_back_own((&caller.name, caller.rights), n, &etag, reason, password).await })
    }

    fn test_section(&self, slug: String, to: String, fields: Map<String, Value>) -> Answer<'_, TestReport> {
        answer(async move {
            match slug.as_str() {
                "email" => self.test_email(EmailTest { to, settings: Some(typed(&fields)?) }).await,
                "database" => {
                    let report = self.test_database(DatabaseTest { settings: Some(typed(&fields)?) }).await?;
                    Ok(TestReport { ok: report.ok, checks: report.checks })
                }
                _ => Err(problem::not_found("test")),
            }
        })
    }

    fn database_status(&self) -> Answer<'_, DatabaseStatus> {
        answer(async move { Ok(self.archive.status(PAGE_COUNTS).await) })
    }

    fn restore(&self, caller: Caller, n: u64, etag: String, reason: Option<String>) -> Answer<'_, String> {
        answer(async move { self.go_back((&caller.name, caller.rights), n, &etag, reason).await })
    }

    fn events(&self) -> Vec<(u32, &'static str, &'static str)> {
        let worth_telling = catalogue::ALL.iter().filter(|kind| kind.level != Level::Information);
        worth_telling.map(|kind| (kind.id, kind.name, kind.meaning)).collect()
    }

    fn event(&self, id: u32) -> Option<(u32, &'static str, &'static str)> {
        catalogue::find(id).map(|kind| (kind.id, kind.name, kind.meaning))
    }

    fn application_log(&self, query: LogQuery) -> Answer<'_, Page<LogEvent>> {
        answer(self.application_log(query))
    }
}
