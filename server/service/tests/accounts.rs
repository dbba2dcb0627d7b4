//! What somebody does with their own account, and the pages where accounts and rules are changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use common::{PASSWORD, Server, problem, token};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use userlock_core::settings::Role;
use userlock_service::auth::read_local_token;

const OWN: &str = "/api/v1/account/password";
const NEW: &str = "better-horse";
const RULES: &str = "/api/v1/protected-accounts";

/// What somebody who is signed in sends from this server's pages.
async fn send(server: &Server, cookie: &str, body: &Value) -> Response {
    let request = server.plain(Method::POST, OWN).header("cookie", cookie).header("origin", &server.url);
    request.json(body).send().await.unwrap()
}

/// A form of a page, as a browser without JavaScript sends it, or as the page does.
async fn form(server: &Server, cookie: &str, function: &str, script: bool, fields: &[(&str, &str)]) -> Response {
    let accept = if script { "application/json" } else { "text/html" };
    let request = server.plain(Method::POST, function).header("cookie", cookie).header("origin", &server.url);
    let request = request.header("accept", accept).header("referer", format!("{}/from-here", server.url));
    request.form(fields).send().await.unwrap()
}

/// The problem that a page gets.
async fn refused(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(body["status"], status, "{body}");
    (status, text("code"), text("field"))
}

async fn page(server: &Server, cookie: &str, path: &str) -> String {
    let response = server.plain(Method::GET, path).header("cookie", cookie).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.unwrap()
}

/// The cookie that an answer sets first.
fn cookie_of(response: &Response) -> String {
    let cookie = response.headers().get("set-cookie").expect("a cookie").to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Max-Age=604800"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn is_signed_in(server: &Server, cookie: &str) -> bool {
    let response = server.plain(Method::GET, "/api/v1/server").header("cookie", cookie).send().await.unwrap();
    response.status() == StatusCode::OK
}

async fn signs_in(server: &Server, account: &str, password: &str) -> bool {
    let response = server.sign_in_form(account, password).await;
    response.headers()["location"] == "/sessions"
}

#[tokio::test]
async fn everybody_changes_their_own_password_and_this_sign_in_stays() {
    let server = Server::primary().await;
    // Whatever the role: this one may do nothing but be signed in.
    for account in ["read_only", "deny-log", "deny-security"] {
        let (mine, other) = (server.sign_in(account).await, server.sign_in(account).await);
        let done = send(&server, &mine, &json!({ "current": PASSWORD, "new": NEW })).await;
        assert_eq!(done.status(), StatusCode::NO_CONTENT, "{account}");
        let renewed = cookie_of(&done);
        assert_eq!(renewed.split('=').next(), mine.split('=').next(), "of the same name");
        assert!(is_signed_in(&server, &renewed).await, "{account}: this sign-in stays");
        assert!(!is_signed_in(&server, &mine).await, "{account}: a copy of its cookie from before is worth nothing");
        assert!(!is_signed_in(&server, &other).await, "{account}: the others end");
        assert!(signs_in(&server, account, NEW).await && !signs_in(&server, account, PASSWORD).await);
    }
    let mine = server.sign_in("operator").await;
    let done = send(&server, &mine, &json!({ "current": PASSWORD, "new": NEW, "reason": "seen by others" })).await;
    assert_eq!(done.status(), StatusCode::NO_CONTENT);
    let (before, mine) = (mine, cookie_of(&done));
    let newest = server.get("/api/v1/revisions?limit=2").await["items"].clone();
    let told = |n: usize| [&newest[n]["section"], &newest[n]["by"], &newest[n]["reason"]].map(Value::clone);
    assert_eq!(told(0), ["security", "operator", "changed their own password: seen by others"]);
    assert_eq!(told(1), ["security", "deny-security", "changed their own password"]);
    let difference = server.get(&format!("/api/v1/revisions/{}", newest[0]["n"])).await;
    let secret = json!([{ "field": "security.accounts.operator.password_hash", "from": "(secret)", "to": "(secret)" }]);
    assert_eq!(difference["changes"], secret, "nothing but the password");
    assert_eq!(server.get("/api/v1/events?limit=1").await["items"][0]["kind"], "settings_changed", "it is audited");
    server.wait_for_log(1002, 4).await;

    let server = server.restart().await;
    assert!(is_signed_in(&server, &mine).await, "also after a start");
    assert!(!is_signed_in(&server, &before).await, "also after a start");
    for file in ["state.sqlite", "state.sqlite-wal", "product.sqlite", "product.sqlite-wal"] {
        let stored = std::fs::read(server.dir.path().join(file)).unwrap_or_default();
        assert!(!stored.windows(NEW.len()).any(|part| part == NEW.as_bytes()), "{file} has the password");
    }
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_has_it() {
    let (server, backup) = (Server::primary().await, Server::backup().await);
    let before = server.fingerprint_of_state().await;
    let cookie = server.sign_in("operator").await;
    let good = json!({ "current": PASSWORD, "new": NEW });
    let of = |status: u16, code: &str, field: Option<&str>| (status, code.to_owned(), field.map(str::to_owned));

    let nobody = server.plain(Method::POST, OWN).json(&good).send().await.unwrap();
    assert_eq!(problem(nobody).await, of(401, "not_authenticated", None));
    let local = read_local_token(server.dir.path()).unwrap();
    for bearer in [token(Role::Administrator), token(Role::ReadOnly), local] {
        // Before its body is looked at.
        let request = server.plain(Method::POST, OWN).bearer_auth(bearer).body("{");
        assert_eq!(problem(request.send().await.unwrap()).await, of(409, "no_password", None));
    }
    for (body, field) in [
        (json!({ "new": NEW }), "current"),
        (json!({ "current": PASSWORD }), "new"),
        (json!({ "current": PASSWORD, "new": 7 }), "new"),
        (json!({ "current": PASSWORD, "new": "short" }), "new"),
        (json!({ "current": PASSWORD, "new": "a\u{7}bcdefghij" }), "new"),
        (json!({ "current": PASSWORD, "new": "x".repeat(1025) }), "new"),
        (json!({ "current": PASSWORD, "new": NEW, "reason": "x".repeat(3000) }), "reason"),
        (json!({ "current": PASSWORD, "new": NEW, "user": "administrator" }), "user"),
    ] {
        let (status, _, named) = problem(send(&server, &cookie, &body).await).await;
        assert_eq!((status, named.as_deref()), (422, Some(field)), "{body}");
    }
    // Ten wrong ones close the door, to sign-ins too; each is told.
    for _ in 0..10 {
        let wrong = send(&server, &cookie, &json!({ "current": "wrong", "new": NEW })).await;
        assert!(!wrong.headers().contains_key("set-cookie"));
        assert_eq!(problem(wrong).await, of(403, "wrong_password", Some("current")));
    }
    let limited = send(&server, &cookie, &good).await;
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(problem(limited).await, of(429, "too_many_attempts", None));
    let location = server.sign_in_form("operator", PASSWORD).await.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with("/sign-in?error=locked"), "{location}");
    assert!(is_signed_in(&server, &cookie).await, "this sign-in has not ended by that");
    server.wait_for_log(1407, 10).await;
    let told = server.get("/api/v1/application-log?id=1407&limit=1").await["items"][0].clone();
    let details = [&told["details"]["account"], &told["details"]["address"]];
    assert_eq!(details, ["operator", "127.0.0.1"], "{told}");
    assert!(told["message"].as_str().unwrap().starts_with("A change of the password of operator"), "{told}");
    assert_eq!(server.get("/api/v1/application-log?id=1401").await["total"], 0, "no sign-in");
    assert_eq!(server.get("/api/v1/application-log?id=1402").await["total"], 1);
    assert_eq!(server.fingerprint_of_state().await, before);

    let before = backup.fingerprint_of_state().await;
    let cookie = backup.sign_in("operator").await;
    assert_eq!(problem(send(&backup, &cookie, &good).await).await, of(409, "read_only_on_backup", None));
    let no_json = backup.plain(Method::POST, OWN).header("cookie", &cookie).header("origin", &backup.url).body("{");
    assert_eq!(problem(no_json.send().await.unwrap()).await.0, 409, "before the body is read");
    assert_eq!(backup.fingerprint_of_state().await, before);
    assert!(signs_in(&backup, "operator", PASSWORD).await);
}

#[tokio::test]
async fn ones_own_account_has_a_page() {
    let (server, backup) = (Server::primary().await, Server::backup().await);
    let function = "/fn/change-own-password";
    let cookie = server.sign_in("write-log").await;
    let shown = page(&server, &cookie, "/account").await;
    assert!(shown.contains("autocomplete=\"current-password\""), "{shown}");
    assert!(shown.contains("name=\"form[current]\"") && shown.contains(&format!("action=\"{function}\"")));
    assert!(page(&server, &cookie, "/").await.contains("href=\"/account\""), "linked from every page");

    let fields = |current: &'static str, new: &'static str, again: &'static str| {
        [("slug", "account"), ("etag", ""), ("form[current]", current), ("form[new]", new), ("form[again]", again)]
    };
    let of = |status: u16, code: &str, field: &str| (status, code.to_owned(), field.to_owned());
    let tried = async |fields: &[(&str, &str)]| refused(form(&server, &cookie, function, true, fields).await).await;
    assert_eq!(tried(&fields(PASSWORD, NEW, "another")).await, of(422, "invalid_field", "again"));
    assert_eq!(tried(&fields(PASSWORD, "short", "short")).await, of(422, "invalid_field", "new"));
    assert_eq!(tried(&fields("wrong", NEW, NEW)).await, of(403, "wrong_password", "current"));
    let plain = form(&server, &cookie, function, false, &fields("wrong", NEW, NEW)).await;
    assert_eq!((plain.status(), &plain.headers()["location"]), (StatusCode::SEE_OTHER, &"/from-here".parse().unwrap()));
    let plain = form(&server, &cookie, function, false, &fields(PASSWORD, NEW, NEW)).await;
    assert_eq!((plain.status(), &plain.headers()["location"]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let renewed = cookie_of(&plain);
    assert!(is_signed_in(&server, &renewed).await && signs_in(&server, "write-log", NEW).await);
    assert!(!is_signed_in(&server, &cookie).await, "the cookie from before");
    let scripted = form(&server, &renewed, function, true, &fields(NEW, PASSWORD, PASSWORD)).await;
    let again = cookie_of(&scripted);
    let told = scripted.text().await.unwrap();
    assert!(!told.contains(again.split('=').nth(1).unwrap()), "no script sees the cookie: {told}");
    assert!(is_signed_in(&server, &again).await && !is_signed_in(&server, &renewed).await);

    let cookie = backup.sign_in("write-log").await;
    let shown = page(&backup, &cookie, "/account").await;
    assert!(!shown.contains("form[current]") && shown.contains("http://127.0.0.1:9/account"), "{shown}");
    let there = form(&backup, &cookie, function, true, &fields(PASSWORD, NEW, NEW)).await;
    assert_eq!(refused(there).await, of(409, "read_only_on_backup", ""));
}

#[tokio::test]
async fn nobody_locks_themselves_out_unawares() {
    let server = Server::primary().await;
    let cookie = server.sign_in("administrator").await;
    let function = "/fn/change-security";
    let account = async |name: &str| {
        let section = server.get("/api/v1/settings/security").await;
        section["accounts"].as_array().unwrap().iter().find(|account| account["name"] == name).cloned()
    };
    let change = async |part: &str, script: bool, more: &[(&str, &str)]| {
        let etag = server.etag("/api/v1/settings/security").await;
        let slug = format!("security/{part}");
        let fields: Vec<_> = [("slug", slug.as_str()), ("etag", &etag)].iter().chain(more).copied().collect();
        form(&server, &cookie, function, script, &fields).await
    };
    let made = [("form[name]", "second"), ("form[role-administrator]", "true"), ("form[password]", PASSWORD)];
    assert_eq!(change("new-account", true, &made).await.status(), StatusCode::OK, "an administrator who remains");

    let shown = page(&server, &cookie, "/properties/security/accounts/administrator").await;
    assert!(shown.contains("name=\"form[know]\"") && shown.contains("You are signed in with"), "{shown}");
    assert!(shown.contains("/properties/security/accounts/administrator/delete"));
    let deletion = page(&server, &cookie, "/properties/security/accounts/administrator/delete").await;
    assert!(deletion.contains("name=\"form[know]\"") && deletion.contains("name=\"reason\""));
    let other = page(&server, &cookie, "/properties/security/accounts/second").await;
    assert!(!other.contains("form[know]") && other.contains("/properties/security/accounts/second/delete"));

    let before = account("administrator").await;
    for (part, more) in [
        ("accounts/administrator", vec![("form[role-administrator]", "true"), ("form[disabled]", "true")]),
        ("accounts/administrator", vec![("form[role-operator]", "true")]),
        ("accounts/administrator/delete", vec![("reason", "unawares")]),
    ] {
        let (status, code, field) = refused(change(part, true, &more).await).await;
        assert_eq!((status, code.as_str(), field.as_str()), (422, "not_confirmed", "know"), "{part} {more:?}");
        let plain = change(part, false, &more).await;
        assert_eq!(
            (plain.status(), &plain.headers()["location"]),
            (StatusCode::SEE_OTHER, &"/from-here".parse().unwrap())
        );
        assert_eq!(account("administrator").await, before, "{part} {more:?}");
    }
    // What takes nothing away needs no tick.
    let more = [("form[role-administrator]", "true"), ("form[role-operator]", "true")];
    assert_eq!(change("accounts/administrator", true, &more).await.status(), StatusCode::OK);
    let other = [("form[role-operator]", "true"), ("form[disabled]", "true")];
    assert_eq!(change("accounts/operator", true, &other).await.status(), StatusCode::OK);
    assert_eq!(change("accounts/read_only/delete", true, &[]).await.status(), StatusCode::OK);
    assert_eq!(account("read_only").await, None);
    // Who knows may, without JavaScript too.
    let plain = change("accounts/administrator/delete", false, &[("form[know]", "true"), ("reason", "I leave")]).await;
    assert_eq!(plain.headers()["location"], "/properties/security");
    assert_eq!(account("administrator").await, None);
    assert!(!is_signed_in(&server, &cookie).await);

    // A program is not asked.
    let gone = server.change("/api/v1/settings/security", |body| {
        body["accounts"].as_array_mut().unwrap().retain(|account| account["name"] == "second");
    });
    assert_eq!(gone.await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_is_no_administrator_is_asked_too_and_not_before_what_they_may_not_do() {
    let server = Server::primary().await;
    let cookie = server.sign_in("write-security").await;
    let change = async |more: &[(&str, &str)]| {
        let etag = server.etag("/api/v1/settings/security").await;
        let slug = [("slug", "security/accounts/write-security"), ("etag", etag.as_str())];
        let fields: Vec<_> = slug.iter().chain(more).copied().collect();
        refused(form(&server, &cookie, "/fn/change-security", true, &fields).await).await
    };
    let of = |status: u16, code: &str, field: &str| (status, code.to_owned(), field.to_owned());
    // It would read all, which it may not, and lose the right to write: that it is asked of nobody who is refused.
    assert_eq!(change(&[("form[role-read_only]", "true")]).await, of(403, "beyond_own_rights", ""));
    assert_eq!(change(&[("form[role-read-security]", "true")]).await, of(422, "not_confirmed", "know"));
    let section = server.get("/api/v1/settings/security").await;
    let accounts = section["accounts"].as_array().unwrap();
    let own = accounts.iter().find(|account| account["name"] == "write-security").unwrap();
    assert_eq!(own["roles"], json!(["write-security"]), "nothing was changed");
}

#[tokio::test]
async fn the_page_of_a_rule_is_in_the_way_of_itself_alone() {
    let server = Server::primary().await;
    let cookie = server.sign_in("administrator").await;
    let make = async |name: &str| {
        let rule = json!({ "subject": { "kind": "user", "name": name }, "limits": { "total": 2 } });
        let made: Value = server.admin(Method::POST, RULES).json(&rule).send().await.unwrap().json().await.unwrap();
        (made["id"].as_str().unwrap().to_owned(), made["etag"].as_str().unwrap().to_owned())
    };
    let ((alice, etag), (bob, _)) = (make("alice").await, make("bob").await);
    // The page has the rule's own.
    let shown = page(&server, &cookie, &format!("/protected-accounts/{alice}")).await;
    assert!(shown.contains(&etag.replace('"', "&quot;")), "{etag} in {shown}");
    let total = |path: &str| format!("{RULES}/{path}");
    let change = async |slug: &str, etag: &str, limit: &str| {
        let fields =
            [("slug", slug), ("etag", etag), ("form[kind]", "user"), ("form[name]", "alice"), ("form[total]", limit)];
        form(&server, &cookie, "/fn/change-rule", true, &fields).await
    };
    let delete = format!("{alice}/delete");
    assert_eq!(server.change(&total(&bob), |body| body["limits"]["total"] = json!(5)).await.status(), StatusCode::OK);
    assert_eq!(change(&alice, &etag, "1").await.status(), StatusCode::OK, "only another rule has changed since");
    assert_eq!(refused(change(&alice, &etag, "9").await).await.1, "stale");
    assert_eq!(refused(change(&delete, &etag, "").await).await.1, "stale");
    assert_eq!(server.get(&total(&alice)).await["limits"]["total"], 1);
    let etag = server.etag(&total(&alice)).await;
    assert_eq!(server.change(&total(&bob), |body| body["limits"]["vpn"] = json!(0)).await.status(), StatusCode::OK);
    assert_eq!(change(&delete, &etag, "").await.status(), StatusCode::OK);
    for slug in [&alice, &delete] {
        assert_eq!(refused(change(slug, &etag, "3").await).await.0, 404, "deleted meanwhile");
    }
}
