use proptest::prelude::*;

use super::*;

const PATIENCE: Patience = Patience { ask_next_after: 300, give_up_after: 2000 };

fn pair() -> Contact {
    Contact::new(&["https://p".into(), "https://b".into()])
}

fn send(server: usize, last_resort: bool) -> Step {
    Step::Send { server, last_resort }
}

#[test]
fn the_primary_is_asked_first_and_the_backup_too_when_it_takes_too_long() {
    let (mut ask, steps) = Ask::start(&pair(), PATIENCE, 1000);
    assert_eq!(steps, [send(0, false)]);
    assert_eq!(ask.wake_at(), 1300);
    assert_eq!(ask.tick(1299), []);
    assert_eq!(ask.tick(1300), [send(1, false)]);
    assert_eq!(ask.overdue(1350), [0], "the Primary is overdue, the Backup not yet");
    assert_eq!(ask.wake_at(), 3000);
    assert_eq!(ask.tick(2999), []);
    assert_eq!(ask.tick(3000), [Step::GiveUp]);
    assert_eq!(ask.tick(3001), [], "once");
}

#[test]
fn a_refused_connection_goes_on_at_once_and_two_give_up_at_once() {
    let (mut ask, _) = Ask::start(&pair(), PATIENCE, 0);
    assert_eq!(ask.failed(0, Failure::Unreachable, 1), [send(1, true)]);
    assert_eq!(ask.failed(1, Failure::Unreachable, 2), [Step::GiveUp]);
}

#[test]
fn a_server_that_declined_is_asked_again_as_the_last_resort() {
    let (mut ask, _) = Ask::start(&pair(), PATIENCE, 0);
    assert_eq!(ask.failed(0, Failure::NotServing, 1), [send(1, true)]);
    assert_eq!(ask.failed(1, Failure::Unreachable, 2), [send(0, true)]);
    assert_eq!(ask.failed(0, Failure::NotServing, 3), [Step::GiveUp]);
}

#[test]
fn a_primary_that_hangs_does_not_keep_a_backup_that_declines_from_being_the_last_resort() {
    let (mut ask, _) = Ask::start(&pair(), PATIENCE, 0);
    assert_eq!(ask.tick(300), [send(1, false)]);
    assert_eq!(ask.failed(1, Failure::NotServing, 310), [], "the Primary may still answer");
    let mut other = ask.clone();
    assert_eq!(ask.failed(0, Failure::Unreachable, 900), [send(1, true)]);
    assert_eq!(other.wake_at(), 1000);
    assert_eq!(other.tick(1000), [send(1, true)], "nor does one that says nothing at all");
}

#[test]
fn a_zone_of_one_server_asks_it_as_the_last_resort() {
    let (mut ask, steps) = Ask::start(&Contact::new(&["https://p".into()]), PATIENCE, 0);
    assert_eq!(steps, [send(0, true)]);
    assert_eq!(ask.failed(0, Failure::NotServing, 5), [Step::GiveUp]);
}

#[test]
fn without_any_server_nobody_is_waited_for() {
    assert_eq!(Ask::start(&Contact::new(&[]), PATIENCE, 0).1, [Step::GiveUp]);
}

#[test]
fn a_server_known_to_be_down_is_asked_last_and_not_waited_for() {
    let mut contact = pair();
    assert!(contact.failed(0, "connection refused", 0, 0));
    let (mut ask, steps) = Ask::start(&contact, PATIENCE, 100);
    assert_eq!(steps, [send(1, true)]);
    assert_eq!(ask.tick(400), [send(0, false)], "last, not never");
    contact.failed(1, "no answer", 400, 0);
    let (_, steps) = Ask::start(&contact, PATIENCE, 500);
    assert_eq!(steps, [send(0, true), send(1, true)], "when all are down, all are asked at once");
}

#[test]
fn three_good_probes_lead_back() {
    let mut contact = pair();
    contact.failed(0, "connection refused", 0, 7);
    assert_eq!((contact.in_use(), contact.why(1).as_str()), (1, "https://p: connection refused"));
    assert_eq!(contact.next_probe(), Some(10_007));
    assert!(contact.due(10_006).is_empty());
    assert_eq!(contact.due(10_007), [0]);
    assert!(!contact.answered(0), "an answer alone does not lead back");
    assert!(!contact.probed(0, Ok(()), 10_007, 3));
    assert!(!contact.probed(0, Ok(()), 20_010, 0));
    assert!(!contact.probed(0, Err("connection refused"), 30_010, 0));
    for at in [40_010, 50_010] {
        assert!(!contact.probed(0, Ok(()), at, 0), "it begins anew");
    }
    assert_eq!(contact.in_use(), 1);
    assert!(contact.probed(0, Ok(()), 60_010, 0));
    assert_eq!((contact.in_use(), contact.why(0).as_str()), (0, "preferred"));
}

#[test]
fn when_none_answers_the_first_sign_of_life_is_used() {
    let mut contact = pair();
    contact.failed(0, "refused", 0, 0);
    contact.failed(1, "refused", 50, 5);
    assert!(contact.alone());
    assert_eq!(contact.next_probe(), Some(1055));
    assert!(!contact.probed(1, Err("refused"), 1055, 0));
    assert_eq!(contact.due(2055), [0, 1]);
    assert!(contact.probed(1, Ok(()), 2055, 0));
    assert_eq!(contact.in_use(), 1);
    contact.failed(1, "refused", 3000, 0);
    assert!(contact.answered(0));
    assert_eq!(contact.in_use(), 0);
}

#[test]
fn a_backup_that_joins_later_is_known_and_what_was_known_stays() {
    let mut contact = Contact::new(&["https://p".into()]);
    contact.failed(0, "refused", 0, 0);
    contact.update(&["https://p".into(), "https://b".into()]);
    assert_eq!((contact.len(), contact.in_use()), (2, 1));
    contact.update(&["https://b".into(), "https://p".into()]);
    assert_eq!((contact.in_use(), contact.failure(1)), (0, Some("refused")));
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Wait(u64),
    Fail(usize, Failure),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let failure = prop_oneof![Just(Failure::Unreachable), Just(Failure::NotServing)];
    let input =
        prop_oneof![(0_u64..700).prop_map(Input::Wait), (0_usize..3, failure).prop_map(|(s, f)| Input::Fail(s, f))];
    prop::collection::vec(input, 0..40)
}

proptest! {
    /// Whatever the servers do: a question ends, exactly once, in time; nobody is asked more than twice; the second
    /// time only as the last resort; and who was asked is the only one who can fail.
    #[test]
    fn a_question_always_ends_in_time(bad in prop::collection::vec(any::<bool>(), 0..4), inputs in inputs()) {
        let names: Vec<String> = (0..bad.len()).map(|n| format!("s{n}")).collect();
        let mut contact = Contact::new(&names);
        for (server, bad) in bad.iter().enumerate() {
            if *bad {
                contact.failed(server, "down", 0, 0);
            }
        }
        let (mut ask, mut steps) = Ask::start(&contact, PATIENCE, 0);
        let mut now = 0;
        let mut sent = vec![Vec::new(); bad.len()];
        let mut waiting = vec![false; bad.len()];
        let mut ended = 0;
        for input in inputs.into_iter().chain([Input::Wait(2000)]) {
            for step in steps.drain(..) {
                prop_assert_eq!(ended, 0, "nothing after the end");
                match step {
                    Step::Send { server, last_resort } => {
                        prop_assert!(!waiting[server]);
                        sent[server].push(last_resort);
                        waiting[server] = true;
                    }
                    Step::GiveUp => ended += 1,
                }
            }
            prop_assert!(ended == 1 || ask.wake_at() > now, "it never asks to be woken for nothing");
            match input {
                Input::Wait(ms) => {
                    now += ms;
                    steps = ask.tick(now);
                }
                Input::Fail(server, failure) if waiting.get(server) == Some(&true) => {
                    waiting[server] = false;
                    steps = ask.failed(server, failure, now);
                }
                Input::Fail(..) => {}
            }
        }
        ended += steps.iter().filter(|step| **step == Step::GiveUp).count();
        prop_assert_eq!(ended, 1);
        for asked in sent {
            prop_assert!(asked.len() <= 2);
            prop_assert!(asked.len() < 2 || asked[1]);
        }
    }
}
