//! The dashboard's forms when somebody else was quicker: what is told of that, and that all parts of the page know it.

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
    browser::{Browser, attribute, fields_of, tag},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn who_was_overtaken_sees_what_it_has_become_beside_what_they_typed() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    let path = "/properties/retention";
    let etag = fields_of(&browser.page(path).await).into_iter().find(|(name, _)| name == "etag").unwrap().1;
    let changed = server.change("/api/v1/settings/retention", |body| body["application_log_days"] = json!(44)).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let typed = [("etag", etag.as_str()), ("form[application_log_days]", "55")];
    let page = browser.send(path, "/fn/change-section", &typed).await;
    assert_eq!(
        page.matches(">Changed meanwhile. Somebody has changed it since you read it. What you typed").count(),
        2
    );
    assert!(page.contains("Meanwhile: 44 days"));
    assert_eq!(attribute(tag(&page, "form[application_log_days]"), "value").as_deref(), Some("55"));
    assert_eq!(server.get("/api/v1/settings/retention").await["application_log_days"], 44, "nothing is overwritten");
    // Who saves what they see has decided.
    let fields = fields_of(&page);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = browser.send(path, "/fn/change-section", &fields).await;
    assert!(page.contains("Saved."));
    assert_eq!(server.get("/api/v1/settings/retention").await["application_log_days"], 55);
}

/// A field of a form, as it would be sent, and what is told of it.
fn field(page: &str, name: &str) -> (String, String) {
    let value = fields_of(page).into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let at = page.find(&format!(" name=\"{name}\"")).unwrap_or_else(|| panic!("there is no {name}"));
    let before = &page[..at];
    let row = &before[before.rfind("class=\"row\"").unwrap()..];
    let note = ["Meanwhile: ", "Now: ", "Somebody else has changed this."].into_iter().find_map(|note| row.find(note));
    let note = note.map(|at| row[at..].split('<').next().unwrap().to_owned());
    (value.unwrap_or_default(), note.unwrap_or_default())
}

/// A page, the server function of its form, and over which address somebody else makes which change.
type OfAnother<'a> = (&'a str, &'a str, &'a str, fn(&mut Value));

#[tokio::test]
async fn who_was_overtaken_is_told_of_what_somebody_else_has_changed_alone() {
    let server = Server::primary().await;
    let rule = json!({ "subject": { "kind": "user", "name": "ann" }, "limits": { "total": 3 } });
    let made = server.admin(Method::POST, "/api/v1/protected-accounts").json(&rule).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    let id = made["id"].as_str().or(made["account"]["id"].as_str()).unwrap();
    let rule_page = format!("/protected-accounts/{id}");
    let rule = format!("/api/v1{rule_page}");
    let mut browser = Browser::open(&server, "administrator").await;
    let section = "/fn/change-section";
    let change: [OfAnother; 5] = [
        ("/properties/agents", section, "/api/v1/settings/agents", |body| body["spool_cap"] = json!(777)),
        // The first change of this server's own settings, and a second one.
        ("/properties/email", section, "/api/v1/settings/email", |body| body["port"] = json!(2525)),
        ("/properties/email", section, "/api/v1/settings/email", |body| body["port"] = json!(2526)),
        ("/properties/security/accounts/operator", "/fn/change-security", "/api/v1/settings/security", |body| {
            let accounts = body["accounts"].as_array_mut().unwrap();
            accounts.iter_mut().find(|account| account["name"] == "operator").unwrap()["disabled"] = json!(true);
        }),
        (&rule_page, "/fn/change-rule", &rule, |body| body["limits"]["vpn"] = json!(1)),
    ];
    let fields = [
        (("form[heartbeat_seconds]", "11"), ("form[spool_cap]", "777")),
        (("form[from]", "a@corp.example"), ("form[port]", "2525")),
        (("form[from]", "b@corp.example"), ("form[port]", "2526")),
        (("form[role-read_only]", "true"), ("form[disabled]", "true")),
        (("form[total]", "9"), ("form[vpn]", "1")),
    ];
    for ((path, action, api, change), (mine, theirs)) in change.into_iter().zip(fields) {
        browser.flash = None;
        let read = fields_of(&browser.page(path).await);
        assert_eq!(server.change(api, change).await.status(), StatusCode::OK, "{api}");
        let mut typed: Vec<(&str, &str)> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        typed.retain(|(name, _)| *name != mine.0);
        typed.push(mine);
        let page = browser.send_alone(path, action, &typed).await;
        assert!(page.contains("What you typed stands here"), "{path}");
        assert_eq!(field(&page, mine.0), (mine.1.to_owned(), String::new()), "{path}: nobody else has changed it");
        let other = (theirs.1.to_owned(), "Somebody else has changed this.".to_owned());
        assert_eq!(field(&page, theirs.0), other, "{path}: it is not put back unseen");
        // Who saves what they see has both.
        let both = fields_of(&page);
        let both: Vec<_> = both.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = browser.send_alone(path, action, &both).await;
        assert!(page.contains("saved") || page.contains("Saved"), "{path}: {page}");
    }
    let agents = server.get("/api/v1/settings/agents").await;
    assert_eq!((&agents["heartbeat_seconds"], &agents["spool_cap"]), (&json!(11), &json!(777)));
    let rule = server.get(&rule).await;
    let limits = if rule["limits"].is_object() { &rule["limits"] } else { &rule["account"]["limits"] };
    assert_eq!((&limits["total"], &limits["vpn"]), (&json!(9), &json!(1)));

    // What was read by an ETag that is not known.
    browser.flash = None;
    let typed = [("etag", "\"1.1-00\""), ("form[heartbeat_seconds]", "12")];
    let page = browser.send("/properties/agents", section, &typed).await;
    assert_eq!(field(&page, "form[heartbeat_seconds]"), ("12".into(), "Now: 11 s".into()));
}

/// What a page's parts have read, as the browser gets it: a page may be made of its parts more than once, and the browser
/// goes by the first ones.
fn read_with(page: &str) -> Vec<&str> {
    page.split("\\\"again\\\":").skip(1).map(|rest| rest.split("\\\"report\\\"").next().unwrap()).collect()
}

#[tokio::test]
async fn whatever_made_the_page_has_read_what_was_typed() {
    let server = Server::primary().await;
    let mut browser = Browser::open(&server, "administrator").await;
    for (path, action) in
        [("/properties/history/1", "/fn/restore-revision"), ("/properties/general", "/fn/change-section")]
    {
        for turn in 0..10 {
            let reason = format!("turn {turn}");
            let stale = "\"1.1-00000000000000000000000000000000\"";
            let page = browser.send(path, action, &[("etag", stale), ("reason", &reason)]).await;
            let read = read_with(&page);
            assert!(!read.is_empty(), "{path}: {page}");
            for part in read {
                assert!(
                    part.contains(&reason) && part.contains("What you typed stands here"),
                    "{path}, {turn}: {part}"
                );
            }
        }
    }
}
