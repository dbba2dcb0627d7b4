//! `GET /api/openapi.json`: the administrators' and the agents' interface, described for programs.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};
use userlock_core::{agent_api, api, settings};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    api::{
        actions::ReasonRequest,
        own::RestoreOwn,
        settings::{CompareQuery, RevisionQuery, WhyRequest},
        status::Readyz,
    },
    table,
};
use crate::{auth::Right, operations};

/// The document as text, made once.
static TEXT: LazyLock<String> = LazyLock::new(|| serde_json::to_string(&document()).unwrap_or_default());

/// `GET /api/openapi.json`.
pub async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// The schemas that the document refers to.
type Schemas = BTreeMap<String, Value>;
/// Adds a type's schema, and gives what stands for it.
type SchemaOf = fn(&mut Schemas) -> Value;

/// What a call takes and gives.
struct Call {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    query: Option<SchemaOf>,
    request: Option<SchemaOf>,
    /// Whether the body must be there.
    needs_body: bool,
    status: &'static str,
    response: Option<SchemaOf>,
    /// Whether it needs `If-Match`, and tells an `ETag`.
    revision: bool,
}

const fn call(method: &'static str, path: &'static str, status: &'static str, summary: &'static str) -> Call {
    Call {
        path,
        method,
        summary,
        query: None,
        request: None,
        needs_body: false,
        status,
        response: None,
        revision: false,
    }
}

impl Call {
    const fn query(mut self, schema: SchemaOf) -> Self {
        self.query = Some(schema);
        self
    }
    const fn takes(mut self, schema: SchemaOf) -> Self {
        self.request = Some(schema);
        self.needs_body = true;
        self
    }
    const fn may_take(mut self, schema: SchemaOf) -> Self {
        self.request = Some(schema);
        self
    }
    const fn gives(mut self, schema: SchemaOf) -> Self {
        self.response = Some(schema);
        self
    }
    const fn with_revision(mut self) -> Self {
        self.revision = true;
        self
    }
}

/// A reference to the schema of a type, which is added with all that it refers to.
fn named<T: ToSchema>(schemas: &mut Schemas) -> Value {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    add(schemas, found);
    json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
}

/// A type as it is written: with why, which is kept with the change and is never read.
fn changed<T: ToSchema>(schemas: &mut Schemas) -> Value {
    named::<T>(schemas);
    let mut schema = schemas.get(&*T::name()).cloned().unwrap_or_default();
    if let Some(fields) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let reason = json!({ "type": ["string", "null"], "description": "Why it is changed; kept with the change." });
        fields.insert("reason".to_owned(), reason);
    }
    schema
}

/// A page of a list.
fn page<T: ToSchema>(schemas: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "total": { "type": ["integer", "null"], "description": "How many there are on all pages, where that is known." },
            "items": { "type": "array", "items": named::<T>(schemas) },
            "next": { "type": ["string", "null"], "description": "The next page's `cursor`; absent on the last." },
        },
    })
}

/// The parameters of a list that has no filters.
fn paged(_: &mut Schemas) -> Value {
    json!({ "properties": {
        "limit": { "type": "integer", "minimum": 1, "maximum": 500, "default": 50 },
        "cursor": { "type": "string", "description": "`next` of the page before." },
    } })
}

/// The parameter that waits for a run.
fn wait(_: &mut Schemas) -> Value {
    json!({ "properties": { "wait": { "type": "integer", "minimum": 0, "maximum": 25, "default": 0, "description": "Seconds to wait for the result." } } })
}

/// A type's fields as parameters.
fn fields<T: ToSchema>(schemas: &mut Schemas) -> Value {
    let mut referred = Vec::new();
    T::schemas(&mut referred);
    add(schemas, referred);
    serde_json::to_value(T::schema()).unwrap_or_default()
}

fn add(schemas: &mut Schemas, found: Vec<(String, RefOr<Schema>)>) {
    for (name, schema) in found {
        schemas.entry(name).or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
    }
}

static CALLS: &[Call] = &[
    call("get", "/healthz", "200", "Whether the program runs"),
    call("get", "/readyz", "200", "Whether this server can decide; 503 when it cannot").gives(named::<Readyz>),
    call("get", "/metrics", "200", "Figures for Prometheus"),
    call("get", "/api/openapi.json", "200", "This document"),
    call("get", "/live", "200", "The picture of the pair as server-sent events named `overview`"),
    call("get", "/api/v1/server", "200", "This server and the other").gives(named::<api::ServerView>),
    call("get", "/api/v1/sessions", "200", "The list of sessions")
        .query(fields::<api::SessionQuery>)
        .gives(page::<api::SessionView>),
    call("post", "/api/v1/sessions/{key}/actions", "202", "Log off (202) or forget (200) a session")
        .takes(named::<api::ActionRequest>)
        .gives(named::<api::ActionResponse>),
    call("get", "/api/v1/events", "200", "Audited events, the newest first").query(paged).gives(page::<api::EventView>),
    call("get", "/api/v1/application-log", "200", "Events of the product, the newest first")
        .query(fields::<api::LogQuery>)
        .gives(page::<api::LogEvent>),
    call("get", "/api/v1/synchronization", "200", "The state of both synchronizations, on a Backup")
        .gives(named::<api::SynchronizationView>),
    call("post", "/api/v1/synchronization/events", "202", "Start Events synchronization, or join the run at work")
        .query(wait)
        .gives(named::<api::RunStarted>),
    call("post", "/api/v1/synchronization/sessions", "202", "Start Sessions synchronization or its preview")
        .query(wait)
        .takes(named::<api::SessionsSyncRequest>)
        .gives(named::<api::RunStarted>),
    call("post", "/api/v1/synchronization/test", "200", "Test the connection to the Primary")
        .gives(named::<api::TestReport>),
    call("get", "/api/v1/synchronization/runs/{id}", "200", "A run: its progress, then its result")
        .query(wait)
        .gives(named::<api::RunView>),
    call("delete", "/api/v1/synchronization/runs/{id}", "200", "Cancel a run").gives(named::<api::RunView>),
    call("get", "/api/v1/settings/general", "200", "The section `general`").gives(named::<api::GeneralSection>),
    call("put", "/api/v1/settings/general", "200", "Change the section `general`")
        .takes(changed::<api::GeneralSection>)
        .gives(named::<api::GeneralSection>)
        .with_revision(),
    call("get", "/api/v1/settings/synchronization", "200", "The section `synchronization` of a Backup")
        .gives(named::<api::SynchronizationSection>),
    call("put", "/api/v1/settings/synchronization", "200", "Change the section `synchronization` of a Backup")
        .takes(changed::<api::SynchronizationSection>)
        .gives(named::<api::SynchronizationSection>)
        .with_revision(),
    call("get", "/api/v1/settings/agents", "200", "The section `agents`").gives(named::<api::AgentsSection>),
    call("put", "/api/v1/settings/agents", "200", "Change the section `agents`")
        .takes(changed::<api::AgentsSection>)
        .gives(named::<api::AgentsSection>)
        .with_revision(),
    call("get", "/api/v1/settings/messages", "200", "The section `messages`").gives(named::<settings::Messages>),
    call("put", "/api/v1/settings/messages", "200", "Change the section `messages`")
        .takes(changed::<settings::Messages>)
        .gives(named::<settings::Messages>)
        .with_revision(),
    call("get", "/api/v1/settings/notifications", "200", "The section `notifications`")
        .gives(named::<settings::Notifications>),
    call("put", "/api/v1/settings/notifications", "200", "Change the section `notifications`")
        .takes(changed::<settings::Notifications>)
        .gives(named::<settings::Notifications>)
        .with_revision(),
    call("get", "/api/v1/settings/retention", "200", "The section `retention`").gives(named::<settings::Retention>),
    call("put", "/api/v1/settings/retention", "200", "Change the section `retention`")
        .takes(changed::<settings::Retention>)
        .gives(named::<settings::Retention>)
        .with_revision(),
    call("get", "/api/v1/settings/security", "200", "The section `security`").gives(named::<api::SecuritySection>),
    call("put", "/api/v1/settings/security", "200", "Change the section `security`")
        .takes(changed::<api::SecuritySection>)
        .gives(named::<api::SecuritySection>)
        .with_revision(),
    call("get", "/api/v1/revisions", "200", "The revisions of the zone's settings, the newest first")
        .query(fields::<RevisionQuery>)
        .gives(page::<api::RevisionView>),
    call("get", "/api/v1/revisions/{n}", "200", "What differs between a revision and another")
        .query(fields::<CompareQuery>)
        .gives(named::<api::RevisionDifference>),
    call(
        "post",
        "/api/v1/revisions/{n}/restore",
        "200",
        "Bring back the section that a revision changed, as a new revision",
    )
    .takes(named::<ReasonRequest>)
    .gives(named::<api::RevisionView>)
    .with_revision(),
    call("get", "/api/v1/own-revisions", "200", "The changes of this server's own settings, the newest first")
        .query(paged)
        .gives(page::<api::OwnRevision>),
    call("get", "/api/v1/own-revisions/{n}", "200", "One change of this server's own settings")
        .gives(named::<api::OwnRevision>),
    call(
        "post",
        "/api/v1/own-revisions/{n}/restore",
        "200",
        "Bring back what a section became by a change, as a new one",
    )
    .takes(named::<RestoreOwn>)
    .gives(named::<api::OwnRevision>)
    .with_revision(),
    call("get", "/api/v1/sign-ins", "200", "Who is signed in on this server").gives(page::<api::SignInView>),
    call("delete", "/api/v1/sign-ins/{id}", "204", "End a sign-in"),
    call("post", "/api/v1/account/password", "204", "Change the password of the account that is signed in")
        .takes(named::<operations::OwnPassword>),
    call("get", "/api/v1/settings/email", "200", "The section `email` of this server")
        .gives(named::<api::EmailSection>),
    call("put", "/api/v1/settings/email", "200", "Change the section `email` of this server")
        .takes(changed::<api::EmailSection>)
        .gives(named::<api::EmailSection>)
        .with_revision(),
    call("post", "/api/v1/settings/email/test", "200", "Send a test message; nothing is kept")
        .takes(named::<api::EmailTest>)
        .gives(named::<api::TestReport>),
    call("get", "/api/v1/settings/database", "200", "The section `database` of this server")
        .gives(named::<api::DatabaseSection>),
    call("put", "/api/v1/settings/database", "200", "Change the section `database` of this server")
        .takes(changed::<api::DatabaseSection>)
        .gives(named::<api::DatabaseSection>)
        .with_revision(),
    call("get", "/api/v1/settings/database/status", "200", "Whether the database of this server is in use")
        .gives(named::<api::DatabaseStatus>),
    call(
        "post",
        "/api/v1/settings/database/test",
        "200",
        "Test a database; nothing is kept, and nothing is changed in it",
    )
    .takes(named::<api::DatabaseTest>)
    .gives(named::<api::DatabaseReport>),
    call("get", "/api/v1/protected-accounts", "200", "The rules").query(paged).gives(page::<api::ProtectedAccountView>),
    call("post", "/api/v1/protected-accounts", "201", "Make a rule")
        .takes(named::<settings::ProtectedAccountInput>)
        .gives(named::<api::ProtectedAccountView>),
    call("get", "/api/v1/protected-accounts/{id}", "200", "A rule").gives(named::<api::ProtectedAccountView>),
    call("put", "/api/v1/protected-accounts/{id}", "200", "Change a rule")
        .takes(named::<settings::ProtectedAccountInput>)
        .gives(named::<api::ProtectedAccountView>)
        .with_revision(),
    call("delete", "/api/v1/protected-accounts/{id}", "204", "Delete a rule")
        .may_take(named::<WhyRequest>)
        .with_revision(),
    call("post", "/api/v1/backup/remove", "204", "Remove the Backup from the zone, on a Primary")
        .takes(named::<ReasonRequest>),
    call("post", "/api/v1/server/leave", "202", "Take this server out of its zone; then it is set up anew")
        .takes(named::<ReasonRequest>),
    call("get", "/api/v1/certificate", "200", "The certificate of this server, the next one, and who knows it")
        .gives(named::<api::CertificatesView>),
    call("post", "/api/v1/certificate/prepare", "200", "Make the next certificate and announce it")
        .takes(named::<ReasonRequest>)
        .gives(named::<api::CertificatesView>),
    call("post", "/api/v1/certificate/use", "200", "Use the next certificate from now on")
        .takes(named::<api::UseCertificate>)
        .gives(named::<api::CertificatesView>),
    call("post", "/api/v1/certificate/discard", "200", "Give the next certificate up")
        .takes(named::<ReasonRequest>)
        .gives(named::<api::CertificatesView>),
    call("post", "/api/v1/tokens", "201", "Make an API token")
        .takes(named::<operations::TokenRequest>)
        .gives(named::<operations::TokenCreated>),
    call("post", "/api/v1/enrolment-key", "201", "Make a new zone key").gives(named::<operations::EnrolmentCreated>),
    call("get", "/api/v1/agents", "200", "The agents").query(paged).gives(page::<operations::AgentView>),
    call("post", "/api/v1/agents/{id}/revoke", "204", "End an agent's token for good").takes(named::<ReasonRequest>),
    call("post", "/api/v1/agents/{id}/release", "204", "Let a machine's name be enrolled again")
        .takes(named::<ReasonRequest>),
    call("post", "/agent/v1/enrol", "200", "A machine gets its token for the zone key")
        .takes(named::<agent_api::EnrolRequest>)
        .gives(named::<agent_api::EnrolResponse>),
    call("post", "/agent/v1/hello", "200", "An agent says what it has written; also its heartbeat")
        .takes(named::<agent_api::HelloRequest>)
        .gives(named::<agent_api::HelloResponse>),
    call("post", "/agent/v1/events", "200", "A batch of records; answered when it is on the disk")
        .takes(named::<agent_api::EventsRequest>)
        .gives(named::<agent_api::EventsResponse>),
    call("post", "/agent/v1/decisions", "200", "May this user open this session?")
        .takes(named::<agent_api::DecisionRequest>)
        .gives(named::<agent_api::DecisionResponse>),
    call("post", "/agent/v1/commands", "200", "Wait for commands")
        .takes(named::<agent_api::CommandsRequest>)
        .gives(named::<agent_api::CommandsResponse>),
];

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let problem = named::<api::Problem>(&mut schemas);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for call in CALLS {
        paths.entry(call.path).or_default().insert(call.method.to_owned(), operation(call, &problem, &mut schemas));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "UserLock",
            "version": crate::VERSION,
            "description": "Errors are `application/problem+json` with a stable `code`. Times are milliseconds since 1970 UTC. \
                The administrators' interface refuses unknown fields; the agents' passes them over.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token (`userlock token`), or an agent's." },
                "cookie": { "type": "apiKey", "in": "cookie", "name": crate::auth::cookie_name(true, 8443), "description": "Of the dashboard; its name ends with the port on which the server listens." },
            },
        },
    })
}

fn operation(call: &Call, problem: &Value, schemas: &mut Schemas) -> Value {
    let right =
        table::all().find(|(method, path, _)| method.as_str().eq_ignore_ascii_case(call.method) && *path == call.path);
    let right = right.map_or(Right::Public, |(_, _, right)| right);
    let content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let mut success = Map::from_iter([("description".to_owned(), call.summary.into())]);
    if let Some(schema) = call.response {
        success.insert("content".to_owned(), content(schema(schemas)));
    }
    let error = json!({ "description": "A problem", "content": { "application/problem+json": { "schema": problem } } });
    let mut operation = Map::from_iter([
        ("summary".to_owned(), call.summary.into()),
        ("description".to_owned(), needs(right).into()),
        ("parameters".to_owned(), parameters(call, schemas).into()),
        ("responses".to_owned(), json!({ call.status: success, "default": error })),
        ("security".to_owned(), security(right)),
    ]);
    if let Some(schema) = call.request {
        let body = json!({ "required": call.needs_body, "content": content(schema(schemas)) });
        operation.insert("requestBody".to_owned(), body);
    }
    operation.into()
}

fn needs(right: Right) -> String {
    match right {
        Right::Public => "Needs nothing.".to_owned(),
        Right::Agent => "Needs an agent's token.".to_owned(),
        Right::Peer => "Needs the Backup's token.".to_owned(),
        Right::Of(settings::Right::SignedIn) => "Needs a token or a sign-in, of any role.".to_owned(),
        Right::Of(settings::Right::Administer) => "Needs an administrator.".to_owned(),
        Right::Of(settings::Right::Read(area)) => format!("Needs a role that may read the area `{}`.", area.as_str()),
        Right::Of(settings::Right::Write(area)) => format!("Needs a role that may write the area `{}`.", area.as_str()),
    }
}

fn security(right: Right) -> Value {
    match right {
        Right::Public => json!([]),
        Right::Agent | Right::Peer => json!([{ "token": [] }]),
        _ => json!([{ "token": [] }, { "cookie": [] }]),
    }
}

fn parameters(call: &Call, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = call.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let query = call.query.map(|schema| schema(schemas)).unwrap_or_default();
    for (name, schema) in query.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let description = schema.get("description").cloned().unwrap_or_default();
        parameters.push(
            json!({ "name": name, "in": "query", "description": description.as_str().unwrap_or(""), "schema": schema }),
        );
    }
    if call.revision {
        let description = "The `ETag` that was read: 428 without it, 412 when it is not the present one.";
        parameters.push(json!({ "name": "If-Match", "in": "header", "required": true, "description": description, "schema": { "type": "string" } }));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        // The forms of the dashboard and what servers say to each other are not for programs of others.
        let hidden = |path: &str| path.starts_with("/replication/") || path.starts_with("/sign-");
        let routes: BTreeSet<_> = table::all()
            .filter(|(_, path, _)| !hidden(path))
            .map(|(method, path, _)| (method.as_str().to_lowercase(), path))
            .collect();
        let described: BTreeSet<_> = CALLS.iter().map(|call| (call.method.to_owned(), call.path)).collect();
        assert_eq!(routes, described);
    }

    #[test]
    fn each_section_is_written_with_a_reason_and_read_without() {
        let document = document();
        let sections = document["paths"].as_object().unwrap().iter();
        let mut walked = 0;
        for (path, calls) in sections.filter(|(path, calls)| path.contains("/settings/") && calls.get("put").is_some())
        {
            let written = &calls["put"]["requestBody"]["content"]["application/json"]["schema"];
            assert!(written["properties"]["reason"].is_object(), "{path}: {written}");
            let read =
                calls["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
            let name = read.rsplit('/').next().unwrap();
            let read = &document["components"]["schemas"][name]["properties"];
            assert!(read.is_object() && read.get("reason").is_none(), "{path}: {read}");
            walked += 1;
        }
        assert_eq!(walked, 9);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let mut found = 0;
        for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
            found += 1;
        }
        assert!(found > 50, "{found}");
    }
}
