//! The dashboard's forms without JavaScript: what was typed is there again on the page after a refusal or a test, with the
//! field that is wrong; and what a page says of changes.

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
    browser::{Browser, attribute, fields_of, tag, wrong},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PASSWORD: &str = "swordfish-13";

#[tokio::test]
async fn what_was_typed_is_there_again_after_a_refusal_with_the_field_that_is_wrong() {
    let (primary, backup) = (Server::primary().await, Server::backup().await);
    let section = "/fn/change-section";
    // The server, the page, its function, what is typed right, and what is typed wrong with what is told.
    for (server, path, action, right, (field, value, told)) in [
        (
            &primary,
            "/properties/general",
            section,
            ("form[zone_name]", "kept & \"quoted\""),
            ("form[time_zone]", "Mars/Olympus", "Time zone: is no time zone"),
        ),
        (
            &primary,
            "/properties/agents",
            section,
            ("form[spool_cap]", "777"),
            ("form[heartbeat_seconds]", "0", "Heartbeat: must be a number from 1 to 3600"),
        ),
        (
            &primary,
            "/properties/messages",
            section,
            ("form[logon_denied]", "line one\nline two"),
            ("form[offline_denied]", "{nothing}", "the offline policy refuses: {nothing} is no variable"),
        ),
        (
            &primary,
            "/properties/email",
            section,
            ("form[server]", "mail.corp.example"),
            ("form[from]", "nonsense", "From: must be an address"),
        ),
        (
            &backup,
            "/properties/synchronization",
            section,
            ("form[unit]", "hours"),
            ("form[interval_seconds]", "25", "Interval: must be from 1 second to 24 hours"),
        ),
        (
            &primary,
            "/properties/security",
            "/fn/change-security",
            ("reason", "because I say so"),
            ("form[session_minutes]", "0", "Session length: must be from 1 to"),
        ),
        (
            &primary,
            "/properties/security/new-role",
            "/fn/change-security",
            ("form[sessions]", "write"),
            ("form[name]", "read-sessions", "Name: read-sessions is there already"),
        ),
        (
            &primary,
            "/properties/security/new-token",
            "/fn/change-security",
            ("form[days]", "30"),
            ("form[name]", " ", "Name: must have 1 to 64 characters"),
        ),
        (
            &primary,
            "/properties/security/new-token",
            "/fn/change-security",
            ("form[role]", "operator"),
            ("form[name]", "a/b", "Name: must have 1 to 64 characters, none of them /"),
        ),
        (
            &primary,
            "/properties/security/new-token",
            "/fn/change-security",
            ("form[days]", "30"),
            ("form[name]", "operator", "Name: there is a token of this name: revoke it first"),
        ),
        (
            &primary,
            "/properties/security/new-token",
            "/fn/change-security",
            ("form[name]", "probe"),
            ("form[days]", "0", "Ends after: must be from 1 to 3660 days"),
        ),
        (
            &primary,
            "/protected-accounts/new",
            "/fn/change-rule",
            ("form[name]", "alice"),
            ("form[vpn]", "-1", "VPN: must be a number from 0"),
        ),
    ] {
        let before = server.fingerprint_of_state().await;
        let mut browser = Browser::open(server, "administrator").await;
        let typed = [right, (field, value), ("reason", "because I say so")];
        let page = browser.send(path, action, &typed).await;
        let (name, message) = wrong(&page);
        assert_eq!(name, field, "{path}");
        assert!(message.contains(told), "{path}: {message}");
        for (name, value) in typed {
            let shown = fields_of(&page).into_iter().find(|(known, _)| known == name).unwrap().1;
            assert_eq!(shown, value, "{path}: {name}");
        }
        assert_eq!(server.fingerprint_of_state().await, before, "{path}: nothing has changed");
        let again = browser.page(path).await;
        assert!(
            !again.contains("because I say so") && !again.contains("aria-invalid=\"true\""),
            "{path}: it is shown once"
        );
    }
}

#[tokio::test]
async fn what_was_typed_is_of_one_form_and_one_sign_in_and_has_no_password() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    let typed = [("form[name]", "ann"), ("form[password]", PASSWORD), ("reason", "a new colleague")];
    // No role is chosen.
    let page = browser.send("/properties/security/new-account", "/fn/change-security", &typed).await;
    assert_eq!(wrong(&page).0, "form[role-administrator]");
    assert_eq!(attribute(tag(&page, "form[name]"), "value").as_deref(), Some("ann"));
    assert!(!page.contains(PASSWORD) && page.contains("Type it again"), "the password is not kept, and that is told");

    let refuse = [("form[time_zone]", "Mars/Olympus"), ("reason", "typed by me")];
    let path = "/properties/general";
    let sent = async |browser: &mut Browser| {
        browser.flash = None;
        let mut fields = fields_of(&browser.page(path).await);
        fields.retain(|(name, _)| refuse.iter().all(|(typed, _)| typed != name));
        fields.extend(refuse.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let request = server.plain(Method::POST, "/fn/change-section").header("cookie", &browser.sign_in);
        let request = request.header("accept", "text/html").header("origin", &server.url).form(&fields);
        let response = request.send().await.unwrap();
        response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let flash = sent(&mut browser).await;
    let mut other = Browser::open(&server, "administrator").await;
    other.flash = Some(flash.clone());
    assert!(!other.page(path).await.contains("typed by me"), "another sign-in");
    browser.flash = Some(flash);
    assert!(!browser.page("/properties/agents").await.contains("typed by me"), "another form");
    assert!(browser.page(path).await.contains("typed by me"), "its own");
    assert!(!browser.page(path).await.contains("typed by me"), "once");
}

#[tokio::test]
async fn a_test_is_of_what_was_typed_and_shows_each_check() {
    let server = Server::primary().await;
    let before = server.get("/api/v1/settings/database").await;
    let mut browser = Browser::open(&server, "administrator").await;
    let test = "/fn/test-section";
    let good = [("form[kind]", "sqlite"), ("form[file]", "typed.sqlite")];
    let page = browser.send("/properties/database", test, &good).await;
    for check in ["Database is reached", "Database is of no other server", "Tables can be made", "All 5 checks passed."]
    {
        assert!(page.contains(check), "{check}");
    }
    assert!(page.contains("there is no such file yet"), "the file that was typed");
    assert_eq!(attribute(tag(&page, "form[file]"), "value").as_deref(), Some("typed.sqlite"));
    assert_eq!(server.get("/api/v1/settings/database").await, before, "nothing is saved");
    assert!(!server.dir.path().join("typed.sqlite").exists());

    // Nothing listens on the discard port.
    let bad = [
        ("form[server]", "127.0.0.1"),
        ("form[port]", "9"),
        ("form[tls]", "none"),
        ("form[from]", "userlock@corp.example"),
        ("form[user]", "userlock"),
        ("form[password]", PASSWORD),
        ("form[to]", "ops@corp.example"),
    ];
    let page = browser.send("/properties/email", test, &bad).await;
    assert!(page.contains("class=\"bad\"") && page.contains("Connects") && page.contains("not checked"), "each check");
    assert_eq!(attribute(tag(&page, "form[to]"), "value").as_deref(), Some("ops@corp.example"));
    assert!(!page.contains(PASSWORD) && page.contains("Type it again"));
    assert_eq!(server.get("/api/v1/settings/email").await["server"], "", "nothing is saved");

    // What cannot be tested is told at its field, by the form's names.
    for (typed, field, told) in [
        (("form[to]", "nonsense"), "form[to]", "Recipient: must be an address"),
        (("form[server]", ""), "form[server]", "Server: "),
        (("form[port]", "x"), "form[port]", "Port: must be a number"),
    ] {
        let typed: Vec<_> = bad.into_iter().filter(|(name, _)| *name != typed.0).chain([typed]).collect();
        let page = browser.send("/properties/email", test, &typed).await;
        let (name, message) = wrong(&page);
        assert_eq!(name, field);
        assert!(message.contains(told), "{message}");
    }
}

#[tokio::test]
async fn a_kept_password_is_tested_with_what_it_was_kept_for_alone() {
    let server = Server::primary().await;
    let set = server.change("/api/v1/settings/email", |body| {
        *body = json!({
            "server": "127.0.0.1", "port": 9, "tls": "starttls", "from": "userlock@corp.example", "user": "userlock",
            "password": PASSWORD,
        });
    });
    assert_eq!(set.await.status(), StatusCode::OK);
    let mut browser = Browser::open(&server, "administrator").await;
    let to = ("form[to]", "ops@corp.example");
    let page = browser.send("/properties/email", "/fn/test-section", &[to]).await;
    assert!(page.contains("Connects") && !page.contains("aria-invalid=\"true\""), "the one that is kept");
    let elsewhere = [to, ("form[server]", "elsewhere.example")];
    let page = browser.send("/properties/email", "/fn/test-section", &elsewhere).await;
    let (field, message) = wrong(&page);
    assert_eq!(field, "form[password]");
    assert!(message.starts_with("Password: must be given again"), "{message}");
}

#[tokio::test]
async fn a_long_message_in_any_script_comes_with_what_was_typed() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    // Two bytes a letter, and six in a cookie.
    let name = "\u{44f}".repeat(1500);
    let typed = [("form[recipients]", name.clone())];
    let typed: Vec<_> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = browser.send("/properties/notifications", "/fn/change-section", &typed).await;
    let flash = browser.flash.as_ref().expect("what was told");
    assert!(flash.len() > 3000 && flash.len() < 4000, "browsers keep 4096 bytes: {flash}");
    let (field, message) = wrong(&page);
    assert!(field == "form[recipients]" && message.contains(&name), "{message}");
}

#[tokio::test]
async fn the_test_of_the_connection_shows_each_check() {
    let server = Server::backup().await;
    let (path, test) = ("/properties/synchronization", "/fn/test-connection");
    let mut browser = Browser::open(&server, "administrator").await;
    assert!(!browser.page(path).await.contains("Name is resolved"));
    // Also from the page of another section: the checks are where the settings are.
    for from in [path, "/properties/email"] {
        let page = browser.send_alone(from, test, &[]).await;
        let connection =
            page.split("aria-labelledby=\"connection\"").nth(1).unwrap().split("</section>").next().unwrap();
        for check in
            ["Name is resolved", "Connects", "Authenticates", "Same protected zone", "Clocks agree", "not made"]
        {
            assert!(connection.contains(check), "{check}: {connection}");
        }
        assert!(!browser.page(path).await.contains("Name is resolved"), "it is shown once");
    }
}

#[tokio::test]
async fn the_history_reads_as_the_pages_do() {
    let server = Server::primary().await;
    let changed = async |section: &str, change: fn(&mut Value)| {
        assert_eq!(server.change(&format!("/api/v1/settings/{section}"), change).await.status(), StatusCode::OK);
    };
    changed("agents", |body| body["heartbeat_seconds"] = json!(11)).await;
    changed("email", |body| {
        (body["server"], body["from"]) = (json!("mail.corp.example"), json!("userlock@corp.example"));
    })
    .await;
    let rule = json!({ "subject": { "kind": "user", "name": "a.b" }, "limits": { "total": 2 } });
    let made = server.admin(Method::POST, "/api/v1/protected-accounts").json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let browser = Browser::open(&server, "administrator").await;
    let text = async |path: &str| {
        let page = browser.page(path).await;
        let words: Vec<_> =
            page.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect();
        words.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" | ")
    };
    let shown = text("/properties/history/2").await;
    assert!(
        shown.contains("Heartbeat | 20 s | 11 s") && shown.contains("Bring back Agents as of revision 2"),
        "{shown}"
    );
    let shown = text("/properties/history/3").await;
    assert!(shown.contains("User a.b | \u{2014} | added. In total: 2"), "{shown}");
    // Any two are compared, from the earlier to the later one, whichever the page is of.
    let page = browser.page("/properties/history/3").await;
    assert!(page.contains("href=\"/properties/history/3/1\"") && !page.contains("href=\"/properties/history/3/3\""));
    for (path, note, back) in [
        ("/properties/history/3/1", "Compared with revision 1.", "Bring back Protected accounts as of revision 3"),
        (
            "/properties/history/1/3",
            "Compared with revision 3, which is the later one",
            "Bring back General as of revision 1",
        ),
    ] {
        let shown = text(path).await;
        assert!(shown.contains("Revisions 1 and 3") && shown.contains(note) && shown.contains(back), "{shown}");
        assert!(shown.contains("Heartbeat | 20 s | 11 s"), "{shown}");
        assert!(shown.contains("User a.b | \u{2014} | added. In total: 2"), "{shown}");
    }
    let list = text("/properties/history").await;
    assert!(list.contains("Protected accounts") && list.contains("E-mail | From, Server"), "{list}");
    let shown = text("/properties/history/own/2").await;
    assert!(shown.contains("Server | none | mail.corp.example"), "{shown}");
}

#[tokio::test]
async fn a_revision_can_be_compared_with_any_other_however_many_there_are() {
    let server = Server::primary().await;
    for n in 2..=45 {
        let changed = server.change("/api/v1/settings/agents", |body| body["spool_cap"] = json!(n + 100)).await;
        assert_eq!(changed.status(), StatusCode::OK);
    }
    let browser = Browser::open(&server, "administrator").await;
    let mut offered = std::collections::BTreeSet::new();
    let mut next = Some("/properties/history/44".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = browser.page(&path).await;
        let links = page.split("href=\"/properties/history/44/").skip(1).map(|rest| rest.split('"').next().unwrap());
        offered.extend(links.filter_map(|other| other.parse::<u64>().ok()));
        let tag = page.split("<a ").find(|tag| tag.split('>').next().unwrap().contains("rel=\"next\""));
        next = tag.map(|tag| attribute(&format!(" {tag}"), "href").unwrap());
        pages += 1;
        assert!(pages < 9, "there is an end");
    }
    assert_eq!(offered.into_iter().collect::<Vec<_>>(), (1..=45).filter(|n| *n != 44).collect::<Vec<_>>());
    assert_eq!(pages, 3, "each page has a bound");
}

#[tokio::test]
async fn who_only_reads_sees_the_events_that_are_told_and_the_others_folded() {
    let server = Server::primary().await;
    let changed = server.change("/api/v1/settings/notifications", |body| body["events"] = json!([1203])).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let page = Browser::open(&server, "read_only").await.page("/properties/notifications").await;
    let folded = page.find("<details class=\"panel\"").expect("the others are folded");
    let told = page.find("1203 sync timeout").expect("what is chosen is shown");
    assert!(
        page.contains("Told of 1 of") && told < folded && page.find("1206 sync").is_some_and(|other| other > folded)
    );
}

#[tokio::test]
async fn an_earlier_mail_server_is_brought_back_by_its_page_with_the_password_that_it_needs() {
    let server = Server::primary().await;
    let set = async |name: &str, password: &str| {
        let changed = server.change("/api/v1/settings/email", |body| {
            *body = json!({
                "server": name, "port": 587, "tls": "starttls", "from": "userlock@corp.example", "user": "userlock",
                "password": password,
            });
        });
        assert_eq!(changed.await.status(), StatusCode::OK);
    };
    set("one.example", PASSWORD).await;
    let (page, function) = ("/properties/history/own/2", "/fn/restore-revision");
    let mut browser = Browser::open(&server, "administrator").await;
    let shown = browser.page(page).await;
    assert!(shown.contains("The password stays as it is now.") && !shown.contains("form[password]"), "{shown}");
    set("two.example", "another-one-5").await;
    let shown = browser.page(page).await;
    assert!(shown.contains("goes nowhere else: give the one for this") && shown.contains("form[password]"), "{shown}");
    let email = async || server.get("/api/v1/settings/email").await;
    // An account without a password is refused at its field, and the reason stays.
    let shown = browser.send(page, function, &[("reason", "it was quicker")]).await;
    let (field, message) = wrong(&shown);
    assert_eq!(field, "form[password]");
    assert!(message.starts_with("Password: must be the account"), "{message}");
    assert_eq!(attribute(tag(&shown, "reason"), "value").as_deref(), Some("it was quicker"));
    assert_eq!(email().await["server"], "two.example");
    let shown = browser.send(page, function, &[("reason", "it was quicker"), ("form[password]", PASSWORD)]).await;
    assert!(shown.contains("What change 2 made is back."), "{shown}");
    assert_eq!(email().await["server"], "one.example");
    assert_eq!(server.get("/api/v1/own-revisions").await["items"][0]["reason"], "it was quicker");
    let reader = Browser::open(&server, "read_only").await.page(page).await;
    assert!(!reader.contains("Bring back"), "{reader}");
}

#[tokio::test]
async fn ones_own_password_is_refused_at_its_field_and_the_reason_stays() {
    let server = Server::primary().await;
    let (page, function) = ("/account", "/fn/change-own-password");
    let mut browser = Browser::open(&server, "operator").await;
    let good = "better-horse";
    for (current, new, again, field, told) in [
        ("wrong-horse", good, good, "form[current]", "Your present password is another one"),
        (common::PASSWORD, "short", "short", "form[new]", "New password: "),
        (common::PASSWORD, good, "worse-horse", "form[again]", "New password again: is not the same"),
    ] {
        let typed =
            [("form[current]", current), ("form[new]", new), ("form[again]", again), ("reason", "somebody looked on")];
        let shown = browser.send(page, function, &typed).await;
        let (name, message) = wrong(&shown);
        assert_eq!(name, field);
        assert!(message.contains(told), "{message}");
        assert_eq!(attribute(tag(&shown, "reason"), "value").as_deref(), Some("somebody looked on"));
        for password in [current, new, again] {
            assert!(!shown.contains(password), "{password}");
        }
    }
}

#[tokio::test]
async fn events_without_a_box_of_their_own_stay_and_are_shown() {
    let server = Server::primary().await;
    let section = "/api/v1/settings/notifications";
    let set = server.change(section, |body| body["events"] = json!([1005, 1203]));
    assert_eq!(set.await.status(), StatusCode::OK, "a program may choose events of information");
    let path = "/properties/notifications";
    let mut browser = Browser::open(&server, "administrator").await;
    let shown = browser.page(path).await;
    assert!(tag(&shown, "form[event-1005]").contains(" checked") && shown.contains("1005 token created"), "{shown}");
    let reader = Browser::open(&server, "read_only").await.page(path).await;
    assert!(reader.contains("Told of 2 of") && reader.contains("1005 token created"));
    let saved = browser.send(path, "/fn/change-section", &[("form[event-1206]", "true")]).await;
    assert!(saved.contains("Saved."), "{saved}");
    assert_eq!(server.get(section).await["events"], json!([1005, 1203, 1206]));
}

#[tokio::test]
async fn rules_are_brought_back_by_who_may_write_them() {
    let server = Server::primary().await;
    let rule = json!({ "subject": { "kind": "user", "name": "ann" }, "limits": { "total": 2 } });
    let made = server.admin(Method::POST, "/api/v1/protected-accounts").json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let changed = server.change("/api/v1/settings/agents", |body| body["heartbeat_seconds"] = json!(11)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    for (account, rules, agents) in [
        ("administrator", true, true),
        ("write-settings", false, true),
        ("deny-protected_accounts", false, true),
        ("read_only", false, false),
    ] {
        let browser = Browser::open(&server, account).await;
        let offered = async |n: u32, what: &str| {
            browser.page(&format!("/properties/history/{n}")).await.contains(&format!("Bring back {what} as of"))
        };
        assert_eq!(offered(2, "Protected accounts").await, rules, "{account}");
        assert_eq!(offered(3, "Agents").await, agents, "{account}");
    }
}

#[tokio::test]
async fn enter_in_the_field_of_a_test_saves_nothing() {
    let server = Server::primary().await;
    let path = "/properties/email";
    let mut browser = Browser::open(&server, "administrator").await;
    let page = browser.page(path).await;
    // The first button is the one that Enter presses.
    let first = page.split("<form").find(|form| form.contains("name=\"slug\"")).unwrap();
    let first = first.split("<button").nth(1).unwrap().split('>').next().unwrap();
    assert!(first.contains("name=\"by_enter\"") && first.contains("tabindex=\"-1\""), "{first}");
    let typed = [
        ("form[server]", "127.0.0.1"),
        ("form[port]", "9"),
        ("form[tls]", "none"),
        ("form[from]", "userlock@corp.example"),
        ("form[to]", "ops@corp.example"),
        ("by_enter", "true"),
    ];
    let page = browser.send(path, "/fn/change-section", &typed).await;
    assert!(page.contains("Connects") && page.contains("not checked"), "it was tested: {page}");
    assert_eq!(server.get("/api/v1/settings/email").await["server"], "", "nothing is saved");
    // In another field it saves, as ever, and so does the button, whatever stands in the test's.
    let typed: Vec<_> = typed.into_iter().filter(|(name, _)| *name != "form[to]").chain([("form[to]", " ")]).collect();
    assert!(browser.send(path, "/fn/change-section", &typed).await.contains("Saved, for this server."));
    let typed = [("form[to]", "ops@corp.example"), ("form[port]", "10")];
    assert!(browser.send(path, "/fn/change-section", &typed).await.contains("Saved, for this server."));
    assert_eq!(server.get("/api/v1/settings/email").await["port"], 10);
    assert!(!browser.page("/properties/general").await.contains("by_enter"), "only where there is such a field");
}
