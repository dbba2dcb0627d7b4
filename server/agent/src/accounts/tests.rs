use std::future::pending;

use super::*;
use crate::fake::Logs;

const LIMIT: Duration = Duration::from_secs(1);

async fn asked(accounts: &Accounts, answer: io::Result<Told>) -> Vec<String> {
    accounts.groups_by("alice", LIMIT, async move { answer }).await
}

fn staff() -> Vec<String> {
    vec!["staff".into()]
}

/// As if so much time had gone by.
fn later(accounts: &Accounts, by: Duration) {
    let mut book = accounts.book();
    let earlier = |at: &mut Instant| *at = at.checked_sub(by).unwrap();
    book.known.values_mut().for_each(|(at, _)| earlier(at));
    book.failed.values_mut().for_each(|(at, _)| earlier(at));
    book.slow.iter_mut().for_each(|(at, _)| earlier(at));
}

#[test]
fn the_name_for_people_is_the_first_part_of_the_comment() {
    let users =
        "root:x:0:0:root:/root:/bin/sh\nalice:x:1:1:Alice Liddell,Room 7,,:/home/alice:/bin/sh\nbob:x:2:2::/:/bin/sh\n";
    assert_eq!(display_name_in(users, "alice").as_deref(), Some("Alice Liddell"));
    assert_eq!((display_name_in(users, "bob"), display_name_in(users, "ali")), (None, None));
}

#[tokio::test]
async fn groups_are_those_of_the_machine_and_an_unknown_user_has_none() {
    let accounts = Accounts::default();
    assert!(accounts.groups("root", LIMIT).await.contains(&"root".to_owned()));
    assert!(accounts.groups("--version", LIMIT).await.is_empty(), "a name is never an option");
    assert!(accounts.groups("no such user", LIMIT).await.is_empty());
}

#[tokio::test]
async fn the_last_known_groups_hold_while_the_directory_fails() {
    let logs = Logs::capture();
    let accounts = Accounts::default();
    assert_eq!(asked(&accounts, Ok(Told::All(staff()))).await, staff());
    later(&accounts, FRESH * 100);
    let failed = || Err(io::Error::other("down"));
    assert_eq!(asked(&accounts, failed()).await, staff());
    later(&accounts, FAILED_FOR);
    assert_eq!(asked(&accounts, failed()).await, staff());
    later(&accounts, FAILED_FOR);
    let some = Ok(Told::Some(vec!["users".into()]));
    assert_eq!(asked(&accounts, some).await, staff(), "what is told in part does not replace it");
    later(&accounts, FAILED_FOR);
    let started = Instant::now();
    assert_eq!(accounts.groups_by("alice", LIMIT, pending()).await, staff());
    assert!(started.elapsed() >= PATIENCE);
    assert_eq!(logs.count("the last known ones are used"), 1, "said once");
}

#[tokio::test]
async fn unknown_groups_are_told_loudly_once_until_the_directory_heals() {
    let logs = Logs::capture();
    let accounts = Accounts::default();
    for _ in 0..3 {
        assert!(asked(&accounts, Err(io::Error::other("down"))).await.is_empty());
        later(&accounts, FAILED_FOR);
    }
    assert_eq!(logs.count("rules on groups do not apply"), 1);
    assert_eq!(asked(&accounts, Ok(Told::All(staff()))).await, staff());
    assert_eq!(logs.count("known again"), 1);
    accounts.book().known.clear();
    assert!(asked(&accounts, Err(io::Error::other("down"))).await.is_empty());
    assert_eq!(logs.count("rules on groups do not apply"), 2, "said anew");
    later(&accounts, FAILED_FOR);
    assert_eq!(asked(&accounts, Ok(Told::Some(staff()))).await, staff(), "better than none");
    assert_eq!(accounts.groups_by("alice", LIMIT, pending()).await, staff(), "at the next logon too");
}

#[tokio::test]
async fn a_directory_that_keeps_failing_is_not_waited_for_at_each_logon() {
    let accounts = Accounts::default();
    let started = Instant::now();
    assert!(accounts.groups_by("alice", LIMIT, pending()).await.is_empty());
    assert!(started.elapsed() >= PATIENCE);
    let started = Instant::now();
    assert!(accounts.groups_by("bob", LIMIT, pending()).await.is_empty());
    assert!(started.elapsed() >= PATIENCE, "one may be slow");
    let started = Instant::now();
    for user in ["alice", "bob", "carol"] {
        assert!(accounts.groups_by(user, LIMIT, pending()).await.is_empty());
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert_eq!(accounts.asked.available_permits(), MAX_ASKED - 3, "each was asked about once");
    later(&accounts, FAILED_FOR);
    let limited = Instant::now();
    accounts.groups_by("dave", PATIENCE / 5, pending()).await;
    assert!(limited.elapsed() < PATIENCE, "no longer than the caller can wait");
}

#[tokio::test]
async fn an_answer_that_came_too_late_serves_the_next_logon() {
    let accounts = Accounts::default();
    let late = async {
        tokio::time::sleep(PATIENCE + PATIENCE / 2).await;
        Ok(Told::All(staff()))
    };
    assert!(accounts.groups_by("alice", LIMIT, late).await.is_empty());
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(accounts.groups_by("alice", LIMIT, pending()).await, staff());
}

#[tokio::test]
async fn many_at_once_are_all_told() {
    let accounts = Arc::new(Accounts::default());
    let mut logons = tokio::task::JoinSet::new();
    for n in 0..MAX_ASKED * 2 {
        let accounts = Arc::clone(&accounts);
        let answer = async {
            tokio::time::sleep(PATIENCE / 50).await;
            Ok(Told::All(staff()))
        };
        logons.spawn(async move { accounts.groups_by(&n.to_string(), LIMIT, answer).await });
    }
    assert!(logons.join_all().await.into_iter().all(|groups| groups == staff()));
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
    let mut book = Book::default();
    let now = Instant::now();
    for n in 0..MAX_KNOWN + 2 {
        book.told(&n.to_string(), staff(), now + Duration::from_millis(n as u64));
        book.failed(&format!("x{n}"), "down", Vec::new(), now);
    }
    assert!(book.failed.len() <= MAX_KNOWN && book.said.len() <= MAX_KNOWN);
    assert_eq!(
        (book.known.len(), book.known.contains_key("1"), book.known.contains_key("2")),
        (MAX_KNOWN, false, true)
    );
}
