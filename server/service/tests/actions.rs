//! What the pages do beside changing settings: each has a form with its reason, on a page that says what follows. A refusal is
//! told there and keeps what was typed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{
    Server,
    browser::{Browser, attribute, fields_of, tag, words, wrong},
    problem,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const SECURITY: &str = "/api/v1/settings/security";
const CHANGE_SECURITY: &str = "/fn/change-security";
const RULES: &str = "/api/v1/protected-accounts";
const WHY: &str = "because I say so";

async fn rule(server: &Server, name: &str) -> String {
    let rule = json!({ "subject": { "kind": "user", "name": name }, "limits": { "total": 2 } });
    let made = server.admin(Method::POST, RULES).json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    made.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn names(server: &Server, list: &str) -> Vec<String> {
    let section = server.get(SECURITY).await;
    let names = section[list].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned());
    names.collect()
}

async fn newest_reason(server: &Server) -> Value {
    server.get("/api/v1/revisions?limit=1").await["items"][0]["reason"].clone()
}

/// Sends the form of a page with an `ETag` from before somebody else has changed what it is about, then as it comes back.
async fn overtaken(browser: &mut Browser<'_>, path: &str, function: &str, etag: &str) -> String {
    let page = browser.send(path, function, &[("etag", etag), ("reason", WHY)]).await;
    assert!(page.contains("What you typed stands here") && page.contains("press the button again"), "{path}: {page}");
    assert!(!page.contains("If-Match") && !page.contains("ETag"), "{path}: words of programs");
    assert_eq!(attribute(tag(&page, "reason"), "value").as_deref(), Some(WHY), "{path}");
    let fields = fields_of(&page);
    assert!(
        fields.iter().all(|(name, value)| name != "etag" || value != etag),
        "{path}: who sends it again has decided"
    );
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.send(path, function, &fields).await
}

#[tokio::test]
async fn who_deletes_what_somebody_else_has_changed_is_told_and_keeps_the_reason() {
    let server = Server::primary().await;
    let id = rule(&server, "alice").await;
    let mut browser = Browser::open(&server, "administrator").await;
    for (part, list, name, told) in [
        ("accounts/operator/delete", "accounts", "operator", "The account operator is deleted."),
        ("tokens/operator/revoke", "tokens", "operator", "The token operator is revoked."),
    ] {
        let etag = server.etag(SECURITY).await;
        let minutes = server.get(SECURITY).await["session_minutes"].as_u64().unwrap() + 1;
        let changed = server.change(SECURITY, |body| body["session_minutes"] = json!(minutes)).await;
        assert_eq!(changed.status(), StatusCode::OK);
        let page = overtaken(&mut browser, &format!("/properties/security/{part}"), CHANGE_SECURITY, &etag).await;
        assert!(page.contains(told), "{page}");
        assert!(!names(&server, list).await.contains(&name.to_owned()));
        assert_eq!(newest_reason(&server).await, WHY);
    }
    let etag = server.etag(&format!("{RULES}/{id}")).await;
    let changed = server.change(&format!("{RULES}/{id}"), |body| body["limits"]["total"] = json!(3)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let path = format!("/protected-accounts/{id}/delete");
    let page = overtaken(&mut browser, &path, "/fn/change-rule", &etag).await;
    assert!(page.contains("The rule is deleted."), "{page}");
    assert_eq!((server.get(RULES).await["total"].clone(), newest_reason(&server).await), (json!(0), json!(WHY)));
}

#[tokio::test]
async fn who_brings_a_revision_back_while_somebody_saves_is_told_and_keeps_the_reason() {
    let server = Server::primary().await;
    let agents = "/api/v1/settings/agents";
    let set = async |seconds: u32| {
        let changed = server.change(agents, |body| body["heartbeat_seconds"] = json!(seconds)).await;
        assert_eq!(changed.status(), StatusCode::OK);
    };
    set(11).await;
    set(12).await;
    let path = "/properties/history/2";
    let mut browser = Browser::open(&server, "administrator").await;
    let etag = fields_of(&browser.page(path).await).into_iter().find(|(name, _)| name == "etag").unwrap().1;
    set(13).await;
    let page = overtaken(&mut browser, path, "/fn/restore-revision", &etag).await;
    assert!(page.contains("What revision 2 changed is back as it was then."), "{page}");
    assert_eq!(
        (server.get(agents).await["heartbeat_seconds"].clone(), newest_reason(&server).await),
        (json!(11), json!(WHY))
    );
    // Who changes another section is in nobody's way.
    let changed = server.change("/api/v1/settings/retention", |body| body["application_log_days"] = json!(44)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let mut fields = fields_of(&browser.page("/properties/history/3").await);
    set_field(&mut fields, "reason", WHY);
    let changed = server.change("/api/v1/settings/messages", |body| body["logon_denied"] = json!("No: {reason}")).await;
    assert_eq!(changed.status(), StatusCode::OK, "{}", changed.text().await.unwrap());
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = browser.send_alone("/properties/history/3", "/fn/restore-revision", &fields).await;
    assert!(page.contains("What revision 3 changed is back as it was then."), "{page}");
    assert_eq!(server.get(agents).await["heartbeat_seconds"], 12);
}

fn set_field(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), value.to_owned()));
}

#[tokio::test]
async fn what_needs_a_reason_says_so_and_is_refused_at_it() {
    let (primary, backup) = (Server::primary().await, Server::backup().await);
    for server in [&primary, &backup] {
        let before = server.fingerprint_of_state().await;
        let mut browser = Browser::open(server, "administrator").await;
        let path = "/properties/role";
        let page = browser.page(path).await;
        assert!(words(&page).contains("Reason | Required.") && tag(&page, "reason").contains(" required"), "{page}");
        let (name, message) = wrong(&browser.send(path, "/fn/change-server", &[("reason", " ")]).await);
        assert_eq!(
            (name.as_str(), message.as_str()),
            ("reason", "Reason: must say why; it is kept. Nothing was changed.")
        );
        assert_eq!(server.fingerprint_of_state().await, before);
        let reader = Browser::open(server, "write-settings").await.page(path).await;
        assert!(
            reader.contains("This server") && fields_of(&reader).is_empty(),
            "only who may do everything does this"
        );
    }
    // Where no reason is needed it is not asked for as if it were.
    let page = Browser::open(&primary, "administrator").await.page("/properties/general").await;
    assert!(!page.contains("Required.") && !tag(&page, "reason").contains(" required"), "{page}");
}

#[tokio::test]
async fn what_a_server_is_changes_only_by_the_form_that_was_read() {
    let server = Server::primary().await;
    let cookie = server.sign_in("administrator").await;
    let send = async |slug: &str| {
        let request = server.plain(Method::POST, "/fn/change-server").header("cookie", &cookie);
        let request = request.header("accept", "application/json").header("origin", &server.url);
        let fields = [("slug", slug), ("etag", ""), ("reason", WHY)];
        let answer = request.form(&fields).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
    };
    // Who read that there is a Backup does not leave the zone when somebody else has removed it meanwhile.
    assert_eq!(send("role/remove-backup").await, (409, json!("no_backup")));
    assert_eq!(send("role").await, (404, json!("not_found")));
    assert_eq!(send("certificate/prepare").await, (409, json!("plain_http")));
    assert_eq!(server.get("/api/v1/server").await["role"], "primary");
}

#[tokio::test]
async fn an_enrolment_string_is_made_on_a_page_that_says_what_it_voids_and_shown_once() {
    let (primary, backup) = (Server::primary().await, Server::backup().await);
    let path = "/properties/agents/enrolment";
    let mut browser = Browser::open(&primary, "administrator").await;
    assert!(browser.page("/properties/agents").await.contains(&format!("href=\"{path}\"")));
    assert!(browser.page(path).await.contains("Strings from before no longer work"));
    let long = "x".repeat(3000);
    let (name, _) = wrong(&browser.send(path, "/fn/make-enrolment-key", &[("reason", &long)]).await);
    assert_eq!(name, "reason");
    let page = browser.send(path, "/fn/make-enrolment-key", &[("reason", WHY)]).await;
    assert!(page.contains("It is not shown again: userlock1."), "{page}");
    assert!(!browser.page(path).await.contains("userlock1."), "once");
    assert_eq!(newest_reason(&primary).await, WHY);
    for (server, account) in [(&primary, "write-settings"), (&backup, "administrator")] {
        let browser = Browser::open(server, account).await;
        assert!(!browser.page("/properties/agents").await.contains(path), "{account}");
    }
    let there = Browser::open(&backup, "administrator").await.page(path).await;
    assert!(fields_of(&there).is_empty() && there.contains("Open this page on"), "{there}");
}

#[tokio::test]
async fn a_role_that_somebody_has_says_who_and_goes_when_nobody_has_it() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    let path = "/properties/security/roles/write-log/delete";
    assert!(browser.page("/properties/security/roles/write-log").await.contains(&format!("href=\"{path}\"")));
    let page = browser.page(path).await;
    assert!(fields_of(&page).is_empty(), "there is nothing to press yet");
    assert!(words(&page).contains("write-log | account | write-log | API token"), "{page}");
    let cookie = browser.sign_in.clone();
    let delete = async || {
        let etag = server.etag(SECURITY).await;
        let fields = [("slug", "security/roles/write-log/delete"), ("etag", &etag), ("reason", WHY)];
        let request = server.plain(Method::POST, CHANGE_SECURITY).header("cookie", &cookie).form(&fields);
        let request = request.header("accept", "application/json").header("origin", &server.url);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let told = delete().await;
    assert_eq!((&told["status"], &told["code"]), (&json!(422), &json!("role_in_use")), "{told}");
    let account =
        "The account write-log has the role write-log: give write-log another role first. Nothing was changed.";
    assert_eq!(told["detail"], account);
    let freed = server.change(SECURITY, |body| {
        body["accounts"].as_array_mut().unwrap().retain(|account| account["name"] != "write-log");
    });
    assert_eq!(freed.await.status(), StatusCode::OK);
    let token = "The token write-log has the role write-log: revoke the token first. Nothing was changed.";
    assert_eq!(delete().await["detail"], token);
    let page = browser.send("/properties/security/tokens/write-log/revoke", CHANGE_SECURITY, &[("reason", WHY)]).await;
    assert!(page.contains("The token write-log is revoked."), "{page}");
    let page = browser.send(path, CHANGE_SECURITY, &[("reason", WHY)]).await;
    assert!(page.contains("The role write-log is deleted."), "{page}");
    assert!(!names(&server, "roles").await.contains(&"write-log".to_owned()));
    assert_eq!(newest_reason(&server).await, WHY);
}

#[tokio::test]
async fn a_token_takes_no_other_ones_place_unawares() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    let path = "/properties/security/new-token";
    let role = [("form[name]", "probe"), ("form[role]", "none")];
    let (field, message) = wrong(&browser.send(path, CHANGE_SECURITY, &role).await);
    assert_eq!((field.as_str(), message.as_str()), ("form[role]", "Role: there is no role none. Nothing was changed."));
    let made = browser.send(path, CHANGE_SECURITY, &[("form[name]", "probe"), ("reason", WHY)]).await;
    assert!(made.contains("Copy it now; it is not shown again. ult_"), "{made}");
    let token =
        made[made.find("ult_").unwrap()..].split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap();
    let works = async || server.plain(Method::GET, "/api/v1/server").bearer_auth(token).send().await.unwrap().status();
    assert_eq!(works().await, StatusCode::OK);
    let (field, message) = wrong(&browser.send(path, CHANGE_SECURITY, &[("form[name]", "probe")]).await);
    assert_eq!(field, "form[name]");
    assert_eq!(message, "Name: there is a token of this name: revoke it first. Nothing was changed.");

    let make = async |replace: bool| {
        let body = json!({ "name": "probe", "role": "operator", "replace": replace });
        server.admin(Method::POST, "/api/v1/tokens").json(&body).send().await.unwrap()
    };
    assert_eq!(problem(make(false).await).await, (422, "invalid_field".to_owned(), Some("name".to_owned())));
    assert_eq!(works().await, StatusCode::OK);
    assert_eq!(make(true).await.status(), StatusCode::CREATED, "who says so");
    assert_eq!(works().await, StatusCode::UNAUTHORIZED);
    assert_eq!(names(&server, "tokens").await.iter().filter(|name| *name == "probe").count(), 1);
}

#[tokio::test]
async fn an_account_and_a_role_may_be_called_new() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    let home = "/properties/security";
    for (path, typed, told) in [
        ("new-role", vec![("form[name]", "new"), ("form[log]", "read")], "The role new is saved."),
        (
            "new-account",
            vec![("form[name]", "new"), ("form[role-new]", "true"), ("form[password]", "swordfish-13")],
            "The account new is saved.",
        ),
    ] {
        let path = format!("{home}/{path}");
        assert!(browser.page(home).await.contains(&format!("href=\"{path}\"")));
        assert!(browser.send(&path, CHANGE_SECURITY, &typed).await.contains(told), "{told}");
        let page = browser.page(&path).await;
        assert_eq!(attribute(tag(&page, "form[name]"), "value").as_deref(), Some(""), "still for a new one");
    }
    assert!(words(&browser.page(&format!("{home}/roles/new")).await).contains("Role new"));
    assert!(tag(&browser.page(&format!("{home}/accounts/new")).await, "form[role-new]").contains(" checked"));
    // What people call a role that is always there is no other one's name.
    let (_, message) =
        wrong(&browser.send(&format!("{home}/new-role"), CHANGE_SECURITY, &[("form[name]", "read-only")]).await);
    assert!(message.contains("read-only is always there"), "{message}");
}

#[tokio::test]
async fn roles_are_called_as_people_call_them() {
    let (primary, backup) = (Server::primary().await, Server::backup().await);
    for (server, reader) in [(&backup, "administrator"), (&primary, "read_only")] {
        let browser = Browser::open(server, reader).await;
        let of = async |account: &str| words(&browser.page(&format!("/properties/security/accounts/{account}")).await);
        let shown = of("administrator").await;
        assert!(shown.contains("Roles | administrator | Disabled | no"), "{shown}");
        let shown = of("read_only").await;
        assert!(shown.contains("Roles | read-only | Disabled") && !shown.contains("operator"), "{shown}");
        let shown = of("deny-log").await;
        assert!(shown.contains("Roles | deny-log, administrator |"), "{shown}");
    }
    let browser = Browser::open(&primary, "administrator").await;
    let page = browser.page("/properties/security/accounts/read_only").await;
    assert!(
        page.contains("role=\"group\" aria-label=\"Roles\"") && tag(&page, "form[role-read_only]").contains(" checked")
    );
    assert!(words(&page).contains("read-only"), "its box");
    assert!(words(&browser.page("/properties/security/new-token").await).contains("operator | read-only"));
    let list = words(&browser.page("/properties/security").await);
    assert!(list.contains("read-only | always there") && list.contains("sessions: read and write"), "{list}");
    assert!(list.contains("log: denied, whatever other roles give"), "{list}");
    let own = words(&Browser::open(&primary, "read_only").await.page("/account").await);
    assert!(own.contains("Roles | read-only"), "{own}");
    let token = primary.plain(Method::GET, "/account").bearer_auth("ult_read_only").send().await.unwrap();
    assert!(words(&token.text().await.unwrap()).contains("Roles | read-only"));
}

#[tokio::test]
async fn ones_own_sign_in_ends_by_signing_out_alone() {
    let server = Server::primary().await;
    let browser = Browser::open(&server, "administrator").await;
    let list = browser.page("/properties/security").await;
    assert!(list.contains("(this browser)") && !list.contains("/fn/end-sign-in"), "{list}");
    server.sign_in("operator").await;
    assert_eq!(browser.page("/properties/security").await.matches("action=\"/fn/end-sign-in\"").count(), 1);
}

#[tokio::test]
async fn properties_are_headed_where_there_is_one_to_see() {
    let server = Server::primary().await;
    for (account, links) in [("read-sessions", 0), ("read-security", 1), ("administrator", 11)] {
        let page = Browser::open(&server, account).await.page("/").await;
        let list =
            page.split("<ul aria-labelledby=\"nav-properties\"").nth(1).map(|rest| rest.split("</ul>").next().unwrap());
        assert_eq!(list.map_or(0, |list| list.matches("<li>").count()), links, "{account}");
        assert_eq!(page.contains("id=\"nav-properties\""), links > 0, "{account}");
    }
}

#[tokio::test]
async fn the_size_of_the_database_is_told_in_units() {
    let server = Server::primary().await;
    let shown = words(&Browser::open(&server, "administrator").await.page("/properties/database").await);
    assert!(shown.contains("Size") && !shown.contains("Bytes"), "{shown}");
}
