//! How long a sign-in lasts.

use userlock_core::settings::Role;

use super::*;

fn security() -> Security {
    let account = LocalAccount {
        name: "admin".into(),
        password_hash: "one".into(),
        roles: vec![Role::Administrator.as_str().into()],
        disabled: false,
    };
    Security { accounts: vec![account], session_minutes: 10, ..Security::default() }
}

fn request(cookie: &HeaderValue) -> HeaderMap {
    let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    HeaderMap::from_iter([(header::COOKIE, format!("other=1; {pair}").parse().unwrap())])
}

#[tokio::test]
async fn a_sign_in_lasts_until_idle_disabled_or_another_password() {
    let dir = tempfile::tempdir().unwrap();
    let store = ProductStore::open(dir.path()).await.unwrap();
    let sign_ins = SignIns::load(store.clone(), true, 8443).await.unwrap();
    let security = security();
    let begin = || sign_ins.begin(&security.accounts[0], "192.0.2.1", 1_000);
    let minutes = |n: i64| 1_000 + n * 60_000;

    let cookie = begin().await.unwrap();
    assert!(cookie.to_str().unwrap().starts_with("__Host-userlock-8443="), "{cookie:?}");
    assert!(
        cookie.to_str().unwrap().contains("HttpOnly; SameSite=Lax") && cookie.to_str().unwrap().ends_with("; Secure")
    );
    let headers = request(&cookie);
    assert_eq!(sign_ins.find(&headers, &security, minutes(9), true).unwrap().name, "admin");
    assert!(sign_ins.find(&headers, &security, minutes(18), false).is_some(), "it was used at minute 9");

    let again = SignIns::load(store.clone(), true, 8443).await.unwrap();
    assert!(again.find(&headers, &security, minutes(9), false).is_some(), "it outlives a start");
    assert!(sign_ins.find(&headers, &security, minutes(19), false).is_none(), "idle");

    let headers = request(&begin().await.unwrap());
    let mut changed = security.clone();
    changed.accounts[0].password_hash = "two".into();
    assert!(sign_ins.find(&headers, &changed, minutes(0), false).is_none(), "another password");

    let headers = request(&begin().await.unwrap());
    let mut disabled = security.clone();
    disabled.accounts[0].disabled = true;
    assert!(sign_ins.find(&headers, &disabled, minutes(0), false).is_none(), "disabled");

    let headers = request(&begin().await.unwrap());
    let Some(Principal { proof: Proof::SignIn(id), .. }) = sign_ins.find(&headers, &security, minutes(0), false) else {
        panic!("signed in");
    };
    sign_ins.end(&id).await.unwrap();
    assert!(sign_ins.find(&headers, &security, minutes(0), false).is_none(), "signed out");
    assert!(sign_ins.find(&HeaderMap::new(), &security, minutes(0), false).is_none());
}

#[tokio::test]
async fn one_that_ends_while_its_last_use_is_written_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let security = security();
    let mut ended = Vec::new();
    let store = ProductStore::open(dir.path()).await.unwrap();
    let sign_ins = SignIns::load(store.clone(), true, 8443).await.unwrap();
    for _ in 0..20 {
        let headers = request(&sign_ins.begin(&security.accounts[0], "192.0.2.1", 0).await.unwrap());
        let found = sign_ins.find(&headers, &security, WRITE_EVERY_MS, true);
        let Some(Principal { proof: Proof::SignIn(id), .. }) = found else { panic!("signed in") };
        // The write waits for its turn until this one waits for the disk.
        sign_ins.end(&id).await.unwrap();
        ended.push(headers);
    }
    // What is being written is waited for.
    store.close().await;
    let store = ProductStore::open(dir.path()).await.unwrap();
    let again = SignIns::load(store, true, 8443).await.unwrap();
    let back = ended.iter().filter(|headers| again.find(headers, &security, WRITE_EVERY_MS, false).is_some());
    assert_eq!(back.count(), 0);
}

#[tokio::test]
async fn one_sign_in_goes_on_when_its_account_changes_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let store = ProductStore::open(dir.path()).await.unwrap();
    let sign_ins = SignIns::load(store.clone(), true, 8443).await.unwrap();
    let before = security();
    let begin = || sign_ins.begin(&before.accounts[0], "192.0.2.1", 1_000);
    let (mine, other) = (request(&begin().await.unwrap()), request(&begin().await.unwrap()));
    let Some(Principal { proof: Proof::SignIn(id), .. }) = sign_ins.find(&mine, &before, 1_000, false) else {
        panic!("signed in");
    };
    let mut after = before.clone();
    after.accounts[0].password_hash = "two".into();
    let found = |headers: &HeaderMap, security: &Security| sign_ins.find(headers, security, 1_000, false).is_some();

    assert_eq!(sign_ins.expect_password(&id, "two"), Ok(()));
    assert_eq!(sign_ins.expect_password(&id, "three"), Err(NotExpected::Busy), "one change at a time");
    assert!(found(&mine, &before) && found(&mine, &after), "good before and behind the change");
    sign_ins.give_up(&id);
    assert!(found(&mine, &before), "the change was refused");

    assert_eq!(sign_ins.expect_password(&id, "two"), Ok(()));
    let old = mine;
    let mine = request(&sign_ins.go_on(&id, "another secret").await.unwrap());
    assert!(!found(&old, &after), "a copy of the cookie from before");
    assert!(found(&mine, &after) && !found(&other, &after));
    let again = SignIns::load(store, true, 8443).await.unwrap();
    assert!(again.find(&mine, &after, 1_000, false).is_some(), "also after a start");
    assert!(again.find(&old, &after, 1_000, false).is_none(), "also after a start");
    assert!(sign_ins.go_on(&id, "a third").await.is_none(), "it is another one by now");
    assert_eq!(sign_ins.expect_password(&id, "three"), Err(NotExpected::Ended));
    assert!(!found(&mine, &before), "the old password is worth nothing");
}
