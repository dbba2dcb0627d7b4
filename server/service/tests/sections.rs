//! Every section of Properties and the protected accounts, walked: what is read can be written back, secrets stay unseen, and
//! refusals come in their order, on both roles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{Server, problem, settings, token};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use userlock_core::{
    api::ServerRole,
    id::{DecisionId, ServerId, ZoneId},
    settings::{Email, Limits, ProtectedAccount, Role, Secret, Subject, SubjectKind},
};
use userlock_service::http::table;

const RULES: &str = "/api/v1/protected-accounts";
/// Each section, and whether the zone shares it.
const SECTIONS: [(&str, bool); 9] = [
    ("general", true),
    ("synchronization", false),
    ("agents", true),
    ("messages", true),
    ("email", false),
    ("database", false),
    ("notifications", true),
    ("security", true),
    ("retention", true),
];

fn address(section: &str) -> String {
    format!("/api/v1/settings/{section}")
}

/// Both servers, with a rule, and an account at a mail server.
async fn both() -> [(ServerRole, Server); 2] {
    let rule = ProtectedAccount {
        id: DecisionId([5; 16]),
        subject: Subject { kind: SubjectKind::User, name: "alice".into() },
        limits: Limits { total: Some(2), ..Limits::default() },
    };
    let mut zone = settings();
    zone.protected_accounts.push(rule);
    let serve = async |role, id| {
        let mail = |own: &mut userlock_core::settings::OwnSettings| {
            let [server, user, from] = ["mail.example.com", "userlock", "userlock@example.com"].map(str::to_owned);
            own.email = Email { server, user, from, password: Secret::new("swordfish-13"), ..Email::default() };
        };
        let dir = Server::prepare_zone(role, ZoneId([8; 16]), ServerId([id; 16]), zone.clone(), mail).await;
        (role, Server::begin(dir).await)
    };
    [serve(ServerRole::Primary, 7).await, serve(ServerRole::Backup, 6).await]
}

/// Every address that is written with `PUT`, and whether the zone shares what is there.
fn written() -> Vec<(String, bool)> {
    let rule = (format!("{RULES}/{}", DecisionId([5; 16])), true);
    SECTIONS.iter().map(|(slug, shared)| (address(slug), *shared)).chain([rule]).collect()
}

#[test]
fn each_address_that_is_written_is_walked() {
    let walked: Vec<String> = written().into_iter().map(|(path, _)| path).collect();
    for (_, path, _) in table::all().filter(|(method, ..)| *method == Method::PUT) {
        let path = path.replace("{id}", &DecisionId([5; 16]).to_string());
        assert!(walked.contains(&path), "{path}");
    }
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    for (role, server) in both().await {
        for (path, shared) in written() {
            let nothing_there = role == ServerRole::Primary && path == address("synchronization");
            let read_only = role == ServerRole::Backup && shared;
            let put = async |as_role: Option<Role>, etag: Option<&str>, body: &Value| {
                let mut request = server.plain(Method::PUT, &path).json(body);
                if let Some(role) = as_role {
                    request = request.bearer_auth(token(role));
                }
                if let Some(etag) = etag {
                    request = request.header("if-match", etag);
                }
                let (status, code, field) = problem(request.send().await.unwrap()).await;
                (status, code, field.unwrap_or_default())
            };
            let of = |status: u16, code: &str, field: &str| (status, code.to_owned(), field.to_owned());
            let admin = Some(Role::Administrator);
            // Each has all that is wrong from its step on.
            let bad = json!({ "nonsense": 1 });
            let context = format!("{path} on the {role:?}");
            assert_eq!(put(None, None, &bad).await, of(401, "not_authenticated", ""), "{context}");
            assert_eq!(put(Some(Role::Operator), None, &bad).await, of(403, "forbidden", ""), "{context}");
            if nothing_there {
                assert_eq!(put(admin, None, &bad).await, of(404, "not_found", ""), "{context}");
                continue;
            }
            let before = (server.get(&path).await, server.etag(&path).await);
            if read_only {
                for etag in [None, Some("\"x\""), Some(before.1.as_str())] {
                    assert_eq!(put(admin, etag, &bad).await, of(409, "read_only_on_backup", ""), "{context} {etag:?}");
                    assert_eq!(put(admin, etag, &before.0).await.0, 409, "{context} {etag:?}");
                }
            } else {
                assert_eq!(put(admin, None, &bad).await, of(428, "precondition_required", ""), "{context}");
                assert_eq!(put(admin, Some("\"x\""), &bad).await, of(412, "stale", ""), "{context}");
                assert_eq!(put(admin, Some(&before.1), &bad).await, of(422, "unknown_field", "nonsense"), "{context}");
                let mut more = before.0.clone();
                more["nonsense"] = json!(1);
                assert_eq!(put(admin, Some(&before.1), &more).await.2, "nonsense", "{context}");
                let mut long = before.0.clone();
                long["reason"] = json!("x".repeat(3000));
                // What changes nothing needs no reason that is kept, but a bad one is refused all the same.
                assert_eq!(put(admin, Some(&before.1), &long).await, of(422, "invalid_field", "reason"), "{context}");
            }
            assert_eq!((server.get(&path).await, server.etag(&path).await), before, "{context}: nothing was changed");
        }
    }
}

/// A form of a page: its server function, what it is of, whether the zone shares that, the address that has its `ETag`, and
/// a field that is wrong.
type Form = (&'static str, String, bool, String, (&'static str, &'static str));

fn forms() -> Vec<Form> {
    let rule = DecisionId([5; 16]).to_string();
    let section = |slug: &'static str, shared, field| {
        ("/fn/change-section", slug.to_owned(), shared, address(slug), (field, "none of these"))
    };
    let security = |part: &str, field, wrong| {
        ("/fn/change-security", format!("security{part}"), true, address("security"), (field, wrong))
    };
    let of_rule = |part: &str| {
        let slug = format!("{rule}{part}");
        ("/fn/change-rule", slug, true, format!("{RULES}/{rule}"), ("kind", "nobody"))
    };
    vec![
        section("general", true, "policy"),
        section("synchronization", false, "unit"),
        section("agents", true, "heartbeat_seconds"),
        section("messages", true, "offline_denied"),
        section("email", false, "port"),
        section("database", false, "retention_days"),
        section("notifications", true, "event-7"),
        section("retention", true, "application_log_days"),
        security("", "session_minutes", "x"),
        security("/accounts/operator", "name", "x"),
        security("/accounts/operator/delete", "name", "x"),
        security("/roles/read-log", "log", "none of these"),
        of_rule(""),
        of_rule("/delete"),
    ]
}

#[tokio::test]
async fn the_forms_refuse_in_the_same_order() {
    for (role, server) in both().await {
        for (function, slug, shared, path, (field, wrong)) in forms() {
            let context = format!("{function} {slug} on the {role:?}");
            let send = async |as_role: Option<Role>, etag: &str, reason: &str| {
                let field = format!("form[{field}]");
                let fields = [("slug", slug.as_str()), ("etag", etag), (&field, wrong), ("reason", reason)];
                let mut request = server.plain(Method::POST, function).header("accept", "application/json");
                request = request.header("origin", &server.url);
                if let Some(role) = as_role {
                    request = request.bearer_auth(token(role));
                }
                let response = request.form(&fields).send().await.unwrap();
                let status = response.status().as_u16();
                let body: Value = response.json().await.unwrap();
                (status, body["code"].as_str().unwrap_or_default().to_owned())
            };
            let of = |status: u16, code: &str| (status, code.to_owned());
            let (admin, long) = (Some(Role::Administrator), "x".repeat(3000));
            assert_eq!(send(None, "", "").await, of(401, "sign_in_required"), "{context}");
            assert_eq!(send(Some(Role::Operator), "", "").await, of(403, "forbidden"), "{context}");
            if role == ServerRole::Primary && slug == "synchronization" {
                assert_eq!(send(admin, "", "").await, of(404, "not_found"), "{context}");
                continue;
            }
            let before = (server.get(&path).await, server.etag(&path).await);
            if role == ServerRole::Backup && shared {
                for etag in ["", "\"x\"", before.1.as_str()] {
                    assert_eq!(send(admin, etag, "").await, of(409, "read_only_on_backup"), "{context} {etag:?}");
                }
            } else {
                assert_eq!(send(admin, "", "").await, of(428, "precondition_required"), "{context}");
                assert_eq!(send(admin, "\"x\"", "").await, of(412, "stale"), "{context}");
                assert_eq!(send(admin, &before.1, &long).await.0, 422, "{context}");
                let endless = "9".repeat(129);
                assert_eq!(send(admin, &endless, "").await, of(400, "invalid_arguments"), "{context}");
            }
            assert_eq!((server.get(&path).await, server.etag(&path).await), before, "{context}: nothing was changed");
        }
    }
}

#[tokio::test]
async fn what_is_read_can_be_written_back_as_it_is() {
    for (role, server) in both().await {
        for (path, shared) in written() {
            if (role == ServerRole::Backup && shared) || (role == ServerRole::Primary && path.contains("synchr")) {
                continue;
            }
            let before = (server.get(&path).await, server.etag(&path).await);
            assert!(!before.0.to_string().contains("swordfish"), "{path}");
            let same = server.change(&path, |_| {}).await;
            assert_eq!(same.status(), StatusCode::OK, "{path} on the {role:?}");
            let told = same.headers()["etag"].to_str().unwrap().to_owned();
            let body: Value = same.json().await.unwrap();
            assert_eq!((body, told), before, "{path} on the {role:?}: what is told of it");
            assert_eq!((server.get(&path).await, server.etag(&path).await), before, "{path}: nothing has changed");
        }
        let secrets = [("agents", "/enrolment_key"), ("email", "/password"), ("security", "/accounts/0/password")];
        for (section, secret) in secrets {
            let read = server.get(&address(section)).await;
            assert_eq!(read.pointer(secret), Some(&json!({ "set": true })), "{section}");
            assert!(!read.to_string().contains("argon2"), "{section}");
        }
        let database = server.get(&address("database")).await;
        assert_eq!(database["password"], json!({ "set": false }));
    }
}

#[tokio::test]
async fn a_secret_stays_unless_it_is_replaced() {
    let [(_, server), _] = both().await;
    let security = address("security");
    let sign_in = async |password: &str| {
        let location =
            server.sign_in_form("operator", password).await.headers()["location"].to_str().unwrap().to_owned();
        location == "/sessions"
    };
    // Written as it was read, whatever it says, or left out: it stays.
    let operator = |body: &mut Value, change: &dyn Fn(&mut Value)| {
        let accounts = body["accounts"].as_array_mut().unwrap();
        change(accounts.iter_mut().find(|account| account["name"] == "operator").unwrap());
    };
    for kept in [json!({ "set": true }), json!({ "set": false })] {
        let set = server.change(&security, |body| operator(body, &|account| account["password"] = kept.clone())).await;
        assert_eq!(set.status(), StatusCode::OK);
    }
    let left_out = |account: &mut Value| _ = account.as_object_mut().unwrap().remove("password");
    assert_eq!(server.change(&security, |body| operator(body, &left_out)).await.status(), StatusCode::OK);
    assert!(sign_in(common::PASSWORD).await);
    for wrong in [json!(null), json!(7), json!({ "set": true, "text": "x" })] {
        let refused = server.change(&security, |body| operator(body, &|account| account["password"] = wrong.clone()));
        let (status, code, _) = problem(refused.await).await;
        assert_eq!((status, code.as_str()), (422, "invalid_field"), "{wrong}");
    }
    let replaced =
        server.change(&security, |body| operator(body, &|account| account["password"] = json!("better-horse")));
    assert_eq!(replaced.await.status(), StatusCode::OK);
    assert!(sign_in("better-horse").await && !sign_in(common::PASSWORD).await);
    // The key is made by a call of its own.
    let agents = address("agents");
    let refused = server.change(&agents, |body| body["enrolment_key"] = json!("ulz_mine")).await;
    assert_eq!(problem(refused).await.2.as_deref(), Some("enrolment_key"));
    let left_out = |body: &mut Value| _ = body.as_object_mut().unwrap().remove("enrolment_key");
    assert_eq!(server.change(&agents, left_out).await.status(), StatusCode::OK);
    assert_eq!(server.get(&agents).await["enrolment_key"], json!({ "set": true }));
    // A token is what it was when it was made.
    let refused = server.change(&security, |body| body["tokens"][0]["at"] = json!(1)).await;
    assert_eq!(problem(refused).await.2.as_deref(), Some("tokens"));
}
