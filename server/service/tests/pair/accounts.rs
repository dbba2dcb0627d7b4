//! The Backup's service account is not lost unawares.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Options, Pair};

const SECURITY: &str = "/api/v1/settings/security";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_ask_before_the_service_account_is_lost() {
    let pair = Pair::with(Options { account: "joiner", continuous: false, ..Options::default() }).await;
    let primary = &pair.primary;
    let token = std::fs::read_to_string(primary.data().join("local-token")).unwrap();
    let shown = async |path: &str| {
        let request = primary.client().get(format!("{}{path}", primary.url())).bearer_auth(token.trim());
        request.send().await.unwrap().text().await.unwrap()
    };
    let page = shown("/properties/security/accounts/joiner").await;
    assert!(page.contains("name=\"form[know]\"") && page.contains("event 1206"), "{page}");
    assert!(!shown("/properties/security/accounts/admin").await.contains("form[know]"));

    let change = async |part: &str, more: &[(&str, &str)]| {
        let etag = primary.call(Method::GET, SECURITY, None, None).await.etag.unwrap();
        let slug = format!("security/{part}");
        let fields: Vec<_> = [("slug", slug.as_str()), ("etag", &etag)].iter().chain(more).copied().collect();
        let request = primary.client().post(format!("{}/fn/change-security", primary.url())).bearer_auth(token.trim());
        let answer = request.header(header::ACCEPT, "application/json").form(&fields).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let before = primary.get(SECURITY).await;
    let disabled = [("form[role-administrator]", "true"), ("form[disabled]", "true")];
    for (part, more) in [
        ("accounts/joiner", &disabled[..]),
        ("accounts/joiner", &[("form[role-operator]", "true")]),
        ("accounts/joiner/delete", &[]),
    ] {
        let (status, said) = change(part, more).await;
        assert_eq!((status, &said["field"]), (422, &json!("know")), "{part} {more:?}: {said}");
    }
    assert_eq!(primary.get(SECURITY).await, before, "nothing was changed");
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");

    // It is as it was told.
    let (status, said) = change("accounts/joiner", &[disabled[0], disabled[1], ("form[know]", "true")]).await;
    assert_eq!(status, 200, "{said}");
    let failed = pair.backup.synchronize("events").await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(!pair.backup.logged(1206).await.is_empty());
    // To give it back needs no tick.
    assert_eq!(change("accounts/joiner", &[disabled[0]]).await.0, 200);
    assert_eq!(pair.backup.synchronize("events").await["state"], "succeeded");
}
