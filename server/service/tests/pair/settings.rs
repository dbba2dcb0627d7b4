//! Every field of every section: changed on the Primary, seen on the Backup, and refused there.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Node, Options, Pair};

const BY_HAND: Options = Options { interval_seconds: Some(86_400), continuous: false, account: "admin", tls: false };

/// Another value than the present one for each field that can be changed, by section.
fn other_values() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("general", "zone_name", json!("north")),
        ("general", "policy", json!("least_restrictive")),
        ("general", "offline_policy", json!({ "allow_seen": 9 })),
        ("general", "log_off_disallowed", json!(true)),
        ("general", "time_zone", json!("Europe/Paris")),
        ("general", "realms", json!([["CORP", "corp.example"]])),
        ("agents", "heartbeat_seconds", json!(7)),
        ("agents", "unconfirmed_after_seconds", json!(77)),
        ("agents", "contact_order", json!("backup_first")),
        ("agents", "ask_backup_after_ms", json!(444)),
        ("agents", "give_up_after_ms", json!(3333)),
        ("agents", "spool_cap", json!(5555)),
        ("messages", "logon_denied", json!("No, {user}: {reason}")),
        ("messages", "offline_denied", json!("Nobody answers on {machine}.")),
        ("notifications", "recipients", json!(["ops@corp.example"])),
        ("notifications", "events", json!([1206, 1203])),
        ("retention", "closed_sessions_hours", json!(48)),
        ("retention", "event_log_days", json!(30)),
        ("retention", "application_log_days", json!(31)),
        ("security", "session_minutes", json!(15)),
        ("security", "roles", json!([{ "name": "desk", "rights": { "sessions": "write", "log": "deny" } }])),
        (
            "security",
            "accounts",
            json!([
                { "name": "admin", "roles": ["administrator"], "disabled": false, "password": { "set": true } },
                { "name": "helpdesk", "roles": ["desk"], "disabled": true, "password": "correct-horse" },
            ]),
        ),
    ]
}

/// What cannot be written, or not by a section: the key and tokens are made by calls of their own.
const NOT_WRITTEN: [(&str, &str); 5] = [
    ("general", "role"),
    ("general", "server_name"),
    ("general", "version"),
    ("agents", "enrolment_key"),
    ("security", "tokens"),
];

fn address(section: &str) -> String {
    format!("/api/v1/settings/{section}")
}

/// A value as it reads once it is written: a password is only told to be set.
fn as_read(mut value: Value) -> Value {
    for account in value.as_array_mut().into_iter().flatten().filter(|item| item.get("password").is_some()) {
        account["password"] = json!({ "set": true });
    }
    value
}

/// What a forged form to a server function is answered.
async fn forged_form(server: &Node, function: &str, slug: &str, etag: &str) -> u16 {
    let token = std::fs::read_to_string(server.data().join("local-token")).unwrap();
    let form = [("slug", slug), ("etag", etag), ("form[session_minutes]", "5"), ("form[zone_name]", "forged")];
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", value.replace('"', "%22"))).collect();
    let request = server.client().post(format!("{}{function}", server.url())).bearer_auth(token.trim());
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.join("&"));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_reaches_the_backup_and_none_can_be_written_there() {
    let pair = Pair::with(BY_HAND).await;
    for section in ["general", "agents", "messages", "notifications", "retention", "security"] {
        let fields = pair.primary.get(&address(section)).await;
        for name in fields.as_object().unwrap().keys() {
            let known = other_values().iter().any(|(s, field, _)| *s == section && field == name);
            assert!(known || NOT_WRITTEN.contains(&(section, name.as_str())), "{section}.{name} is not walked");
        }
    }
    let own_before = pair.backup.get(&address("synchronization")).await;
    for (section, field, value) in other_values() {
        let path = address(section);
        assert_ne!(pair.primary.get(&path).await[field], value, "{section}.{field}");
        pair.primary.change(&path, |body| body[field] = value.clone()).await.expect(200);
        let run = pair.backup.synchronize("events").await;
        assert_eq!(run["state"], "succeeded", "{run}");
        let read = pair.backup.get(&path).await;
        assert_eq!(read[field], as_read(value), "{section}.{field} on the Backup");

        // Whoever writes it there is refused, whatever the value, and nothing changes.
        for forged in [pair.backup.get(&path).await[field].clone(), json!("forged"), json!({})] {
            let refused = pair.backup.change(&path, |body| body[field] = forged).await.expect(409);
            assert_eq!(refused["code"], "read_only_on_backup", "{section}.{field}: {refused}");
        }
        let etag = pair.backup.call(Method::GET, &path, None, None).await.etag.unwrap();
        let function = if section == "security" { "/fn/change-security" } else { "/fn/change-section" };
        assert_eq!(forged_form(&pair.backup, function, section, &etag).await, 409, "{section}.{field}");
        assert_eq!(pair.backup.get(&path).await, read, "{section}.{field} was not written");
    }
    let own_after = pair.backup.get(&address("synchronization")).await;
    assert_eq!(own_after, own_before, "what is the Backup's own is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_each_server_alone_is_never_synchronized() {
    let pair = Pair::with(BY_HAND).await;
    let fields = [
        ("email", "from", json!("userlock@corp.example")),
        ("email", "server", json!("mail.corp.example")),
        ("email", "port", json!(2525)),
        ("email", "tls", json!("tls")),
        ("email", "user", json!("userlock")),
        ("email", "password", json!("correct-horse")),
        ("database", "retention_days", json!(77)),
        ("database", "host", json!("db.corp.example")),
        ("database", "port", json!(5433)),
        ("database", "name", json!("events")),
        ("database", "user", json!("userlock")),
        ("database", "password", json!("correct-horse")),
        ("database", "tls", json!("require")),
        ("database", "file", json!("other.sqlite")),
        ("database", "kind", json!("off")),
    ];
    for section in ["email", "database"] {
        for name in pair.primary.get(&address(section)).await.as_object().unwrap().keys() {
            assert!(
                fields.iter().any(|(s, field, _)| *s == section && field == name),
                "{section}.{name} is not walked"
            );
        }
    }
    for (section, field, value) in fields {
        let path = address(section);
        let (own, present) = (pair.backup.get(&path).await, pair.primary.get(&path).await[field].clone());
        let expected = if field == "password" { json!({ "set": true }) } else { value.clone() };
        assert!(present != expected || field == "password", "{section}.{field}");
        let change = |body: &mut Value| {
            body[field] = value.clone();
            // An account comes with its password, and what is kept of it goes to no other server.
            if (section, field) == ("email", "user") || body["password"]["set"] == true && field != "password" {
                body["password"] = json!("another-horse");
            }
        };
        pair.primary.change(&path, change).await.expect(200);
        assert_eq!(pair.primary.get(&path).await[field], expected, "{section}.{field}");
        assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
        assert_eq!(pair.backup.get(&path).await, own, "{section}.{field} came to the Backup");
    }
    // The Backup's own are changed there, and brought back there.
    let path = address("email");
    let set = |body: &mut Value| {
        body["server"] = json!("mail.backup.example");
        body["from"] = json!("userlock@corp.example");
    };
    pair.backup.change(&path, set).await.expect(200);
    let first = pair.backup.get("/api/v1/own-revisions?limit=1").await["items"][0].clone();
    assert_eq!((&first["section"], &first["changed"]), (&json!("email"), &json!(["from", "server"])), "{first}");
    pair.backup.change(&path, |body| body["server"] = json!("another.example")).await.expect(200);
    let etag = pair.backup.call(Method::GET, &path, None, None).await.etag;
    let restore = format!("/api/v1/own-revisions/{}/restore", first["revision"]);
    let reason = json!({ "reason": "it worked" });
    pair.backup.call(Method::POST, &restore, Some("\"x\""), Some(&reason)).await.expect(412);
    pair.backup.call(Method::POST, &restore, etag.as_deref(), Some(&reason)).await.expect(200);
    assert_eq!(pair.backup.get(&path).await["server"], "mail.backup.example");
    assert_eq!(pair.primary.get(&path).await["server"], "mail.corp.example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_are_listed_compared_and_brought_back() {
    let pair = Pair::with(BY_HAND).await;
    let primary = &pair.primary;
    let change = async |seconds: u32, reason: &str| {
        let change = |body: &mut Value| {
            body["heartbeat_seconds"] = json!(seconds);
            body["reason"] = json!(reason);
        };
        primary.change(&address("agents"), change).await.expect(200);
    };
    change(5, "quicker").await;
    change(50, "slower").await;
    let list = primary.get("/api/v1/revisions?section=agents&limit=1").await;
    let newest = &list["items"][0];
    assert_eq!((&newest["section"], &newest["reason"]), (&json!("agents"), &json!("slower")), "{list}");
    let next =
        primary.get(&format!("/api/v1/revisions?section=agents&cursor={}", list["next"].as_str().unwrap())).await;
    let earlier = next["items"][0].clone();
    assert_eq!(earlier["reason"], "quicker");
    let n = newest["n"].as_u64().unwrap();
    let difference = primary.get(&format!("/api/v1/revisions/{n}")).await;
    assert_eq!(difference["changes"], json!([{ "field": "agents.heartbeat_seconds", "from": "5", "to": "50" }]));
    let all = primary.get(&format!("/api/v1/revisions/{n}?with=1")).await;
    let told = all["changes"].as_array().unwrap();
    assert!(told.iter().any(|c| c["field"] == "agents.heartbeat_seconds" && c["from"] == "20"), "{all}");
    assert!(!all.to_string().contains("argon2"), "{all}");

    let path = format!("/api/v1/revisions/{}/restore", earlier["n"]);
    let restore = async |server: &Node, etag: Option<&str>, body: Value| {
        server.call(Method::POST, &path, etag, Some(&body)).await
    };
    let reason = json!({ "reason": "it was better" });
    let etag = primary.call(Method::GET, &address("general"), None, None).await.etag.unwrap();
    restore(primary, None, reason.clone()).await.expect(428);
    restore(primary, Some("\"x\""), reason.clone()).await.expect(412);
    restore(primary, Some(&etag), json!({})).await.expect(422);
    restore(&pair.backup, Some(&etag), reason.clone()).await.expect(409);
    assert_eq!(primary.get(&address("agents")).await["heartbeat_seconds"], 50, "nothing has changed so far");
    let made = restore(primary, Some(&etag), reason).await.expect(200);
    assert_eq!((&made["n"], &made["reason"]), (&json!(n + 1), &json!("it was better")), "a new revision");
    assert_eq!(primary.get(&address("agents")).await["heartbeat_seconds"], 5);
    let missing = primary.call(Method::GET, "/api/v1/revisions/999", None, None).await;
    missing.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_more_than_they_have() {
    let pair = Pair::with(BY_HAND).await;
    let primary = &pair.primary;
    let people = json!([{ "name": "people", "rights": { "security": "write" } }]);
    primary.change(&address("security"), |body| body["roles"] = people).await.expect(200);
    let made = primary.post("/api/v1/tokens", &json!({ "name": "people", "role": "people" })).await.expect(201);
    let token = made["token"].as_str().unwrap().to_owned();
    let etag = primary.call(Method::GET, &address("security"), None, None).await.etag.unwrap();
    let section = primary.get(&address("security")).await;
    let put = async |change: &dyn Fn(&mut Value)| {
        let mut body = section.clone();
        change(&mut body);
        let request = primary.client().put(format!("{}{}", primary.url(), address("security"))).bearer_auth(&token);
        let answer = request.header("if-match", &etag).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap()["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = (403, "beyond_own_rights".to_owned());
    let account = |roles: Value| json!({ "name": "eve", "roles": roles, "password": "correct-horse" });
    let push = |body: &mut Value, item: Value| body["accounts"].as_array_mut().unwrap().push(item);
    assert_eq!(put(&|body| push(body, account(json!(["administrator"])))).await, refused);
    assert_eq!(put(&|body| body["accounts"][0]["password"] = json!("eve-knows-it")).await, refused);
    assert_eq!(put(&|body| body["roles"][0]["rights"]["settings"] = json!("write")).await, refused, "its own role");
    assert_eq!(put(&|body| body["session_minutes"] = json!(30)).await.0, 200);
    // Not even an administrator takes the last one away.
    for accounts in [
        json!([]),
        json!([{ "name": "admin", "roles": ["administrator"], "disabled": true, "password": { "set": true } }]),
    ] {
        let refused = primary.change(&address("security"), |body| body["accounts"] = accounts).await.expect(422);
        assert_eq!(refused["field"], "accounts", "{refused}");
    }
    let request = primary.client().post(format!("{}/api/v1/tokens", primary.url())).bearer_auth(&token);
    let answer = request.json(&json!({ "name": "more", "role": "administrator" })).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}
