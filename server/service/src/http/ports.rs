//! What the pages need, done by [`App`].

use userlock_app::{
    api::Caller,
    ports::{Answer, Ports},
};
use userlock_core::{
    api::{
        ActionRequest, ActionResponse, GeneralFields, LogEvent, LogQuery, Overview, Page, Problem,
        ProtectedAccountView, RunStarted, RunView, Section, SessionQuery, SessionView, SyncKind,
        SynchronizationSection, SynchronizationView, TestReport,
    },
    event::SessionKey,
    id::{DecisionId as RuleId, RunId},
    settings::ProtectedAccountInput,
};

use super::{body::page_limit, problem, state::App};

/// An answer of the HTTP interface as one of a port.
fn answer<'a, T: 'a>(work: impl Future<Output = problem::Answer<T>> + Send + 'a) -> Answer<'a, T> {
    Box::pin(async move { work.await.map_err(Problem::from) })
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

    fn general(&self) -> Answer<'_, Section<GeneralFields>> {
        answer(async move { Ok(self.general()) })
    }

    fn change_general(
        &self,
        caller: Caller,
        etag: String,
        fields: GeneralFields,
        reason: Option<String>,
    ) -> Answer<'_, Section<GeneralFields>> {
        answer(async move { self.change_general(&caller.name, &etag, fields, reason).await })
    }

    fn synchronization_section(&self) -> Answer<'_, Section<SynchronizationSection>> {
        answer(async move { self.synchronization_section() })
    }

    fn change_synchronization_section(
        &self,
        caller: Caller,
        etag: String,
        section: SynchronizationSection,
        reason: Option<String>,
    ) -> Answer<'_, Section<SynchronizationSection>> {
        answer(async move { self.change_synchronization_section(&caller.name, &etag, section, reason).await })
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

    fn application_log(&self, query: LogQuery) -> Answer<'_, Page<LogEvent>> {
        answer(self.application_log(query))
    }
}
