//! What the pages need of a server. The service implements [`Ports`]; nothing else of it is known here.
//!
//! # What the service does around it
//!
//! - **Context.** For every page (`leptos_axum`'s `leptos_routes_with_context`) and every server function
//!   (`leptos_axum::handle_server_fns_with_context`, mounted at `/fn/{*name}` for GET and POST) it provides, as Leptos
//!   contexts, [`SharedPorts`] and, for a request whose cookie or token is good, a [`Caller`](crate::api::Caller).
//!   Without a `Caller` a page goes to `/sign-in?next=…` and a server function answers 401 by itself.
//! - **Rights.** [`SERVER_FUNCTIONS`](crate::api::SERVER_FUNCTIONS) names each server function with its method and the
//!   right that it needs. The functions check it before they call a port; the service's table can be tested against it.
//! - **Origin.** The service checks the origin of every POST, forms included.
//! - **Nonce.** `leptos_axum` draws one for each response (the `nonce` feature of `leptos` comes with it). The shell
//!   marks its scripts with it and sends the `Content-Security-Policy` header itself, so the service must add none to
//!   a page; for other answers [`shell::content_security_policy`](crate::shell::content_security_policy) gives the
//!   same policy without a nonce.
//! - **Forms without JavaScript** go to the same server functions with `Accept: text/html` and are answered with 303
//!   to the page that they came from (`Referer`, so the policy for it must be `same-origin`, not `no-referrer`). What
//!   happened travels in a cookie `userlock_flash` that lives until that page is shown; what was typed, what a test
//!   found, or a secret that is told once, stays here until then, by the sign-in of the [`Caller`](crate::api::Caller).
//! - **Plain routes of the service**: `POST /sign-in` (form: `user`, `password`, `next`; on failure 303 to
//!   `/sign-in?error=CODE&next=…` where CODE is `invalid`, `locked` or `unavailable`), `POST /sign-out` (303 to
//!   `/sign-in`), `GET /live` (events named `overview` whose data is the JSON of [`Overview`], at most one a second
//!   when something changed, at least one each 5 s; 401 without a sign-in), `/style.css`, `/pkg/userlock.js`,
//!   `/pkg/userlock_bg.wasm` and what is in `public/` (`/favicon.svg`, `/fonts/…`).
//! - **Pages.** `leptos_axum::generate_route_list(App)`; the fallback for an unknown path is the same shell, which
//!   shows "no such page" with status 404.

use std::{future::Future, pin::Pin, sync::Arc};

use userlock_core::{
    api::{
        ActionRequest, ActionResponse, CertificatesView, DatabaseStatus, LogEvent, LogQuery, Overview, OwnRevision,
        Page, Problem, ProtectedAccountView, ReadOnly, RevisionView, RunStarted, RunView, Section, SectionBody,
        SessionQuery, SessionView, SignInView, SynchronizationView, TestReport,
    },
    event::SessionKey,
    id::{Digest, RunId},
    settings::{ProtectedAccount, ProtectedAccountInput},
};

use crate::api::{Caller, RuleId};

/// A revision compared with another.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The later one.
    pub revision: RevisionView,
    /// The earlier one; absent when the later one is the first.
    pub before: Option<RevisionView>,
    /// Each value that differs.
    pub changes: Vec<Changed>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Where it is in the settings: names of fields, and of entries of lists.
    pub path: Vec<String>,
    /// What it was; absent when it was not there. Of a secret only that it was there.
    pub from: Option<serde_json::Value>,
    /// What it is; absent when it is not there.
    pub to: Option<serde_json::Value>,
}

/// An answer that comes later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// The ports as the service provides them in the context.
pub type SharedPorts = Arc<dyn Ports>;

/// What the pages need of a server. Every method is called only for a caller who has the right that it needs; the
/// caller is told so that what is done is kept with who did it. Each answers with a [`Problem`] as the HTTP interface
/// would: the same status, code and field.
pub trait Ports: Send + Sync {
    /// The picture of the pair and all that is shown on every page.
    fn overview(&self) -> Answer<'_, Overview>;

    /// One page of the list of sessions.
    fn sessions(&self, query: SessionQuery) -> Answer<'_, Page<SessionView>>;

    /// Does something with one session: log off, reset.
    fn act_on_session(&self, caller: Caller, key: SessionKey, request: ActionRequest) -> Answer<'_, ActionResponse>;

    /// The state of both synchronizations, with the last runs. 409 on a Primary.
    fn synchronization(&self) -> Answer<'_, SynchronizationView>;

    /// Starts Events synchronization or joins the one at work. 409 on a Primary.
    fn synchronize_events(&self, caller: Caller) -> Answer<'_, RunStarted>;

    /// Starts Sessions synchronization, or its preview, or joins the same at work. 409 on a Primary.
    fn synchronize_sessions(&self, caller: Caller, preview: bool) -> Answer<'_, RunStarted>;

    /// A run, as it is now; with `wait_seconds` (0 to 25) not before it ended or that time passed.
    fn run(&self, run: RunId, wait_seconds: u32) -> Answer<'_, RunView>;

    /// Cancels a run. What it has done stays. One that has ended is given as it is.
    fn cancel_run(&self, caller: Caller, run: RunId) -> Answer<'_, RunView>;

    /// Tests the connection to the Primary, check by check. 409 on a Primary.
    fn test_connection(&self, caller: Caller) -> Answer<'_, TestReport>;

    /// One page of the rules, sorted by kind and name of their subjects; read-only on a Backup. The `Section`'s
    /// `etag` is the settings' revision; each rule has its own.
    fn protected_accounts(&self, limit: u32, cursor: Option<String>)
    -> Answer<'_, Section<Page<ProtectedAccountView>>>;

    /// One rule. 404 when there is none.
    fn protected_account(&self, id: RuleId) -> Answer<'_, Section<ProtectedAccountView>>;

    /// Makes a rule.
    fn create_protected_account(
        &self,
        caller: Caller,
        input: ProtectedAccountInput,
    ) -> Answer<'_, ProtectedAccountView>;

    /// Changes a rule; `etag` is the rule's own, as it was read.
    fn change_protected_account(
        &self,
        caller: Caller,
        id: RuleId,
        etag: String,
        input: ProtectedAccountInput,
    ) -> Answer<'_, ProtectedAccountView>;

    /// Deletes a rule; `etag` as for a change.
    fn delete_protected_account(
        &self,
        caller: Caller,
        id: RuleId,
        etag: String,
        reason: Option<String>,
    ) -> Answer<'_, ()>;

    /// A section of Properties. 404 when there is none of this name here.
    fn section(&self, slug: String) -> Answer<'_, SectionBody>;

    /// A section as it was by an `ETag` that is not the present one, without secrets; nothing when that is not known any more.
    fn section_before(&self, slug: String, etag: String) -> Answer<'_, Option<serde_json::Value>>;

    /// The same of a rule.
    fn rule_before(&self, id: RuleId, etag: String) -> Answer<'_, Option<ProtectedAccount>>;

    /// Refuses what stands against a change of a section, whatever it says: 404, 409, 428 for an empty `etag`, 412.
    fn check_base(&self, slug: String, etag: String) -> Answer<'_, ()>;

    /// The same of a rule.
    fn check_rule_base(&self, id: RuleId, etag: String) -> Answer<'_, ()>;

    /// Refuses what Security cannot become by these fields, or not by the caller: 403, 422.
    fn check_security(&self, caller: Caller, fields: serde_json::Map<String, serde_json::Value>) -> Answer<'_, ()>;

    /// Changes a section; `etag` is the one that was read.
    fn change_section(
        &self,
        caller: Caller,
        slug: String,
        etag: String,
        fields: serde_json::Map<String, serde_json::Value>,
        reason: Option<String>,
    ) -> Answer<'_, SectionBody>;

    /// Makes an API token, which ends after so many days, and tells it. 422 also for a name that is there.
    fn make_token(
        &self,
        caller: Caller,
        name: String,
        role: String,
        days: Option<u32>,
        reason: Option<String>,
    ) -> Answer<'_, String>;

    /// Who is signed in.
    fn sign_ins(&self, caller: Caller) -> Answer<'_, Page<SignInView>>;

    /// Ends a sign-in.
    fn end_sign_in(&self, caller: Caller, id: Digest) -> Answer<'_, ()>;

    /// Whether this server is called by TLS: then its cookies go no other way.
    fn speaks_tls(&self) -> bool;

    /// Why what the zone shares cannot be changed on this server, if so.
    fn read_only(&self) -> Option<ReadOnly>;

    /// Changes the password of the caller's own account, by the present one. The caller's sign-in goes on by a new cookie,
    /// whose `Set-Cookie` header this tells; others of the account end.
    fn change_own_password(
        &self,
        caller: Caller,
        current: String,
        new: String,
        reason: Option<String>,
    ) -> Answer<'_, Option<String>>;

    /// On a Primary with a Backup: the account by which the Backup is known here, and the Backup's name.
    fn service_account(&self) -> Option<(String, String)>;

    /// One page of the revisions of the zone's settings, the newest first: at most so many, where that is said.
    fn revisions(&self, caller: Caller, limit: Option<u32>, cursor: String) -> Answer<'_, Page<RevisionView>>;

    /// What differs between a revision and another, the one before unless it is named, as far as the caller may see it: from
    /// the earlier one of the two to the later one.
    fn revision(&self, caller: Caller, n: u64, with: Option<u64>) -> Answer<'_, Compared>;

    /// Makes a new zone key, and tells the enrolment string that has it. 409 on a Backup.
    fn make_enrolment_key(&self, caller: Caller, reason: Option<String>) -> Answer<'_, String>;

    /// Removes the Backup from the zone. 409 on a Backup, and without one.
    fn remove_backup(&self, caller: Caller, reason: String) -> Answer<'_, ()>;

    /// The certificates of this server, and who knows them. 409 with plain HTTP.
    fn certificates(&self) -> Answer<'_, CertificatesView>;

    /// Makes the next certificate of this server and announces it.
    fn prepare_certificate(&self, caller: Caller, reason: String) -> Answer<'_, CertificatesView>;

    /// Uses the next certificate from now on; `at_once`: although not everybody knows it.
    fn use_certificate(&self, caller: Caller, reason: String, at_once: bool) -> Answer<'_, CertificatesView>;

    /// Gives the next certificate up.
    fn discard_certificate(&self, caller: Caller, reason: String) -> Answer<'_, CertificatesView>;

    /// Takes this server out of its zone. 409 on a Primary that has a Backup.
    fn leave_zone(&self, caller: Caller, reason: String) -> Answer<'_, ()>;

    /// The last changes of this server's own settings, the newest first.
    fn own_revisions(&self) -> Answer<'_, Vec<OwnRevision>>;

    /// One of them.
    fn own_revision(&self, n: u64) -> Answer<'_, OwnRevision>;

    /// Brings back what a section became by one of them, and tells the present `ETag`. The password is that which is kept, as
    /// long as it goes where it was given for, unless one is given; an empty one: none.
    fn restore_own(
        &self,
        caller: Caller,
        n: u64,
        etag: String,
        reason: Option<String>,
        password: Option<String>,
    ) -> Answer<'_, String>;

    /// Tests the section `email` or `database` with these fields, as they would be written. Nothing is kept. A test
    /// message goes to `to`.
    fn test_section(
        &self,
        slug: String,
        to: String,
        fields: serde_json::Map<String, serde_json::Value>,
    ) -> Answer<'_, TestReport>;

    /// Whether the database is in use.
    fn database_status(&self) -> Answer<'_, DatabaseStatus>;

    /// Brings back the section that a revision changed, and tells the present `ETag`.
    fn restore(&self, caller: Caller, n: u64, etag: String, reason: Option<String>) -> Answer<'_, String>;

    /// The events of the product that somebody may want to be told of: id, name and meaning.
    fn events(&self) -> Vec<(u32, &'static str, &'static str)>;

    /// The event with this id, whatever its level.
    fn event(&self, id: u32) -> Option<(u32, &'static str, &'static str)>;

    /// One page of the application log, the newest first.
    fn application_log(&self, query: LogQuery) -> Answer<'_, Page<LogEvent>>;
}
