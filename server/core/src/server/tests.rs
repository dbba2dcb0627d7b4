//! One server and two, without a disk and without a network.

use super::*;
use crate::{
    agent_api::DecisionRequest,
    event::{BootId, LogonId, SessionType, Who, kind},
    id::{AgentId, Chain, DecisionId, Digest},
    record::Machine,
    settings::{Change, Limits, ProtectedAccount, Subject, SubjectKind, ZoneSettings},
    sync::{SnapshotReader, difference, lacking, snapshot_frames},
};

fn server(n: u8, role: ServerRole, settings: ZoneSettings) -> Server {
    let change = Change { epoch: Epoch::default(), at: 0, by: "set-up", section: "general", reason: None };
    let address = ServerAddress::new("", "");
    let start = Start {
        identity: Identity { server_id: ServerId([n; 16]), zone_id: ZoneId::NIL, name: format!("s{n}"), role, address },
        epoch: Epoch::default(),
        log_id: LogId([n; 16]),
        log_id_before: LogId::NIL,
        origin: OriginId([200 + n; 16]),
        rank: 1,
        settings: ZoneDocument::next(None, settings, change).unwrap(),
        cursor: Cursor::default(),
        has_peer: true,
    };
    Server::new(start, 0)
}

fn limited(terminal: u32) -> ZoneSettings {
    let subject = Subject { kind: SubjectKind::Everybody, name: String::new() };
    let limits = Limits { terminal: Some(terminal), ..Limits::default() };
    ZoneSettings {
        protected_accounts: vec![ProtectedAccount { id: DecisionId::NIL, subject, limits }],
        ..Default::default()
    }
}

fn who(user: &str) -> Who {
    Who {
        user: user.into(),
        display_name: None,
        session_type: SessionType::Terminal,
        client_name: None,
        client_address: None,
    }
}

fn ask(id: u8, user: &str) -> Input {
    let request =
        DecisionRequest { decision_id: DecisionId([id; 16]), who: who(user), groups: vec![], last_resort: false };
    Input::Decide { machine: "pc".into(), request: Box::new(request), degraded: false }
}

fn commit(server: &mut Server, input: Input, now: i64) -> Result<Output, Refusal> {
    let mut batch = server.batch();
    server.stage(&mut batch, input, now)?;
    Ok(server.apply(batch, now).outputs.remove(0))
}

fn allowed(output: Result<Output, Refusal>) -> bool {
    match output {
        Ok(Output::Decision(d)) => d.allow,
        other => panic!("{other:?}"),
    }
}

trait IntoRead {
    fn into_read(self) -> ReadRun;
}

impl IntoRead for Run {
    fn into_read(self) -> ReadRun {
        ReadRun::new(self).unwrap()
    }
}

/// An agent that writes for itself.
struct Agent {
    writer: Writer,
    machine: Machine,
    boot: BootId,
}

impl Agent {
    fn new(n: u8) -> Self {
        Self::on("pc", n)
    }

    fn on(machine: &str, n: u8) -> Self {
        Self { writer: Writer::new(OriginId([n; 16]), 1), machine: machine.into(), boot: Digest([n; 16]) }
    }

    fn run(&mut self, payloads: &[(u16, String)]) -> Run {
        let before = self.writer.chain;
        let entry = |(kind, payload): &(u16, String)| {
            let record = self.writer.write(self.machine.clone(), *kind, 5, payload.as_bytes().into());
            Entry::from_agent(record, AgentId([9; 16]), &self.machine)
        };
        Run { before, entries: payloads.iter().map(entry).collect() }
    }

    fn logon(&self, n: u32, user: &str, id: Option<u8>) -> (u16, String) {
        let logon = crate::event::Logon {
            boot: self.boot,
            logon: LogonId::new(&format!("l{n}")).unwrap(),
            decision_id: id.map(|id| DecisionId([id; 16])),
            who: who(user),
        };
        (kind::LOGON, serde_json::to_string(&logon).unwrap())
    }

    fn logoff(&self, n: u32) -> (u16, String) {
        (kind::LOGOFF, format!(r#"{{"boot":"{}","logon":"l{n}"}}"#, self.boot))
    }
}

#[test]
fn a_grant_counts_once_until_its_logon_or_its_end() {
    let mut s = server(1, ServerRole::Primary, limited(1));
    let mut agent = Agent::new(1);
    assert!(allowed(commit(&mut s, ask(1, "alice"), 0)));
    assert!(allowed(commit(&mut s, ask(1, "alice"), 1)), "the same request gets the same answer");
    assert_eq!(s.position, 1, "and is not written twice");
    assert_eq!(commit(&mut s, ask(1, "bob"), 1), Err(Refusal::DecisionReused(DecisionId([1; 16]))));
    let Input::Decide { request, degraded, .. } = ask(1, "alice") else { panic!() };
    let elsewhere = Input::Decide { machine: "other".into(), request, degraded };
    assert_eq!(commit(&mut s, elsewhere, 1), Err(Refusal::DecisionReused(DecisionId([1; 16]))));
    assert_eq!(s.position, 1, "a refused request writes nothing");
    assert!(!allowed(commit(&mut s, ask(2, "ALICE"), 2)), "the grant counts");
    let run = agent.run(&[agent.logon(1, "alice", Some(1))]);
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 3).unwrap();
    let denied = commit(&mut s, ask(3, "alice"), 200_000).unwrap();
    let Output::Decision(denied) = denied else { panic!() };
    assert!(!denied.allow && denied.reason.starts_with("1 of 1 terminal session: pc since"), "{}", denied.reason);
    assert_eq!(denied.open.len(), 1);
    assert_eq!(
        commit(&mut s, ask(3, "alice"), 200_000),
        Ok(Output::Decision(denied)),
        "a repeated request, the same answer"
    );
    let run = agent.run(&[agent.logoff(1)]);
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 200_001).unwrap();
    assert!(allowed(commit(&mut s, ask(4, "alice"), 200_002)));
    assert!(allowed(commit(&mut s, ask(5, "alice"), 200_002 + crate::fold::GRANT_MS)), "the grant of 4 has ended");
}

#[test]
fn two_requests_of_one_user_are_not_decided_in_one_commit() {
    let mut s = server(1, ServerRole::Primary, limited(1));
    let mut batch = s.batch();
    s.stage(&mut batch, ask(1, "alice"), 0).unwrap();
    assert_eq!(s.stage(&mut batch, ask(2, "alice"), 0), Err(Refusal::NextBatch));
    s.stage(&mut batch, ask(3, "bob"), 0).unwrap();
    assert_eq!(s.apply(batch, 0).outputs.len(), 2);
    assert!(!allowed(commit(&mut s, ask(2, "alice"), 0)));
}

#[test]
fn a_batch_that_is_dropped_leaves_nothing() {
    let mut s = server(1, ServerRole::Primary, limited(1));
    let mut batch = s.batch();
    s.stage(&mut batch, ask(1, "alice"), 0).unwrap();
    drop(batch);
    assert_eq!((s.position, s.held().digest()), (0, Held::default().digest()));
    assert!(allowed(commit(&mut s, ask(2, "alice"), 0)));
    assert_eq!(s.held().origin(OriginId([201; 16])).unwrap().head(), 1);
}

#[test]
fn duplicates_holes_and_rejections_are_taken_as_documented() {
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agent = Agent::new(1);
    let bad = (kind::LOGON, "{}".to_owned());
    let run = agent.run(&[agent.logon(1, "alice", None), bad, agent.logon(2, "bob", None)]);
    let Ok(Output::Events(answer)) = commit(&mut s, Input::AgentRun { run: run.clone().into_read() }, 1) else {
        panic!()
    };
    assert_eq!((answer.held[0].last, answer.rejected[0].seq, s.position, s.state.live()), (3, 2, 3, 2));
    let digest = (s.held().digest(), s.state.digest());
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 2).unwrap();
    assert_eq!((digest, s.position), ((s.held().digest(), s.state.digest()), 3), "a duplicate has no effect");
    let skipped = agent.run(&[agent.logoff(1)]);
    let after = agent.run(&[agent.logoff(2)]);
    let mut batch = s.batch();
    s.stage(&mut batch, Input::AgentRun { run: after.into_read() }, 3).unwrap();
    let applied = s.apply(batch, 3);
    let hole = applied.notes.iter().any(|n| matches!(n, Note::Hole { first: 4, last: 4, .. }));
    assert!(hole, "{:?}", applied.notes);
    assert_eq!(s.held().origin(OriginId([1; 16])).unwrap().holes(), [(4, 4)]);
    commit(&mut s, Input::AgentRun { run: skipped.into_read() }, 4).unwrap();
    assert_eq!(s.held().origin(OriginId([1; 16])).unwrap().holes(), []);
    assert_eq!(s.state.live(), 0);
}

#[test]
fn a_clone_is_refused() {
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agent = Agent::new(1);
    let mut clone = Agent::new(1);
    let run = agent.run(&[agent.logon(1, "alice", None)]);
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 1).unwrap();
    let run = clone.run(&[clone.logon(2, "bob", None)]);
    assert!(matches!(commit(&mut s, Input::AgentRun { run: run.into_read() }, 1), Err(Refusal::Fork(_))));
    let mut broken = agent.run(&[agent.logon(3, "carol", None)]);
    broken.entries[0].record.at += 1;
    assert!(ReadRun::new(broken).is_err());
    assert_eq!(s.position, 1);
}

/// What a Backup does with what the Primary logged after its cursor.
fn pull(from: &Server, log: &[Segment], to: &mut Server) -> Output {
    let runs = log.iter().filter(|s| s.first_position > to.cursor.position && s.source != to.log_id);
    let runs = ReadRun::all(runs.flat_map(|s| s.runs.clone()).collect()).unwrap();
    let cursor = Some(Cursor { log_id: from.log_id, position: from.position });
    commit(to, Input::Peer { source: from.log_id, runs, cursor }, 9).unwrap()
}

#[test]
fn two_servers_that_exchange_their_logs_are_equal() {
    let mut primary = server(1, ServerRole::Primary, limited(5));
    let mut backup = server(2, ServerRole::Backup, limited(5));
    let mut log = Vec::new();
    let mut agents: Vec<Agent> = (1..5).map(Agent::new).collect();
    for n in 0..40u32 {
        let agent = &mut agents[(n % 4) as usize];
        let mut events = vec![agent.logon(n, &format!("user{}", n % 7), Some(n as u8))];
        if n > 4 && n % 3 == 0 {
            events.push(agent.logoff(n - 4));
        }
        let run = agent.run(&events);
        for input in [ask(n as u8, &format!("user{}", n % 7)), Input::AgentRun { run: run.into_read() }] {
            let mut batch = primary.batch();
            primary.stage(&mut batch, input, i64::from(n)).unwrap();
            log.extend(primary.segments(&batch));
            primary.apply(batch, i64::from(n));
        }
        if n == 20 {
            pull(&primary, &log, &mut backup);
        }
    }
    let Output::Peer { applied } = pull(&primary, &log, &mut backup) else { panic!() };
    assert_eq!(applied.get(&kind::LOGON), Some(&19));
    assert_eq!(backup.held().digest(), primary.held().digest());
    assert_eq!(backup.state.digest(), primary.state.digest());
    assert_ne!(primary.state.digest(), State::default().digest());
    assert_eq!(log.last().map(Segment::last_position), Some(primary.position));
    primary.peer_has(primary.position);
    assert_eq!(primary.peer_held().unwrap().digest(), primary.held().digest());
    // A third, empty one learns it by snapshot, and from a restart of the first by what was written down.
    let mut third = server(3, ServerRole::Backup, limited(5));
    let mut reader = SnapshotReader::default();
    snapshot_frames(primary.freeze()).for_each(|frame| reader.take(&frame).unwrap());
    let snapshot = reader.finish().unwrap();
    let change = difference(&third.state, &snapshot);
    assert_eq!((change.added, change.changed, change.closed), (primary.state.live(), 0, 0));
    assert_eq!(difference(&backup.state, &snapshot).unchanged, primary.state.live());
    let adoption = third.prepare_adoption(snapshot, &[], true, 9).unwrap();
    let written = adoption.rows();
    third.install(adoption);
    assert_eq!(checkpoint(&mut third), [], "all of it was written down");
    assert_eq!(written.len(), checkpoint(&mut primary).len());
    primary.nothing_written();
    assert_eq!(third.state.digest(), primary.state.digest());
    assert_eq!(third.held().digest(), primary.held().digest());
    let ranges = (0..256).flat_map(|b| primary.held().ranges_in(b)).collect();
    assert_eq!(lacking(third.held(), &ranges), []);

    let rows = checkpoint(&mut primary);
    let mut again = server(1, ServerRole::Primary, limited(5));
    rows.iter().for_each(|row| again.restore(row, 10).unwrap());
    again.restored(10);
    assert_eq!((again.held().digest(), again.state.digest()), (primary.held().digest(), primary.state.digest()));
    assert_eq!(checkpoint(&mut again), [], "nothing has changed since");
    let mut replayed = server(1, ServerRole::Primary, limited(5));
    log.iter().for_each(|segment| replayed.replay(segment, true, 10));
    assert_eq!((replayed.state.digest(), replayed.position), (primary.state.digest(), primary.position));
}

#[test]
fn a_list_that_was_taken_over_leaves_its_records_to_be_fetched() {
    let mut primary = server(1, ServerRole::Primary, limited(5));
    let mut log = Vec::new();
    let mut agent = Agent::new(1);
    for n in 0..4 {
        let mut batch = primary.batch();
        let run = agent.run(&[agent.logon(n, "alice", None)]);
        primary.stage(&mut batch, Input::AgentRun { run: run.into_read() }, i64::from(n)).unwrap();
        log.extend(primary.segments(&batch));
        primary.apply(batch, i64::from(n));
    }
    let mut backup = server(2, ServerRole::Backup, limited(5));
    let mut reader = SnapshotReader::default();
    snapshot_frames(primary.freeze()).for_each(|frame| reader.take(&frame).unwrap());
    let adoption = backup.prepare_adoption(reader.finish().unwrap(), &[], false, 9).unwrap();
    assert_eq!(adoption.cursor(), None);
    backup.install(adoption);
    assert_eq!((backup.state.digest(), backup.held().digest()), (primary.state.digest(), Held::default().digest()));
    let Output::Peer { applied } = pull(&primary, &log, &mut backup) else { panic!() };
    assert_eq!(applied.get(&kind::LOGON), Some(&4), "they are logged and told of here too");
    assert_eq!((backup.state.digest(), backup.held().digest()), (primary.state.digest(), primary.held().digest()));
}

#[test]
fn a_branch_that_was_filed_is_not_waiting_under_the_old_name() {
    let mut backup = server(2, ServerRole::Backup, limited(5));
    let mut copy = Agent::new(1);
    let run = copy.run(&[copy.logon(1, "alice", None), copy.logon(2, "bob", None)]);
    let chain = run.chain_at(1).unwrap();
    commit(&mut backup, Input::AgentRun { run: run.clone().into_read() }, 1).unwrap();
    let filed = crate::sync::branch(&run.entries[1..]).unwrap();
    backup.file_branch(OriginId([1; 16]), 2, chain, Some(&filed), 2);
    let head = |origin| backup.held().origin(origin).map(crate::held::HeldOrigin::head);
    assert_eq!(head(OriginId([1; 16])), Some(1));
    assert_eq!(head(filed.entries[0].record.origin), Some(1));
    assert_eq!(backup.unsent(), (0, None), "what both hold decides what is handed over");
}

#[test]
fn a_snapshot_that_was_damaged_is_refused() {
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agent = Agent::new(1);
    let run = agent.run(&[agent.logon(1, "alice", None)]);
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 1).unwrap();
    let frames: Vec<Vec<u8>> = snapshot_frames(s.freeze()).collect();
    for dropped in 0..frames.len() {
        let mut reader = SnapshotReader::default();
        let rest = frames.iter().enumerate().filter(|(n, _)| *n != dropped);
        let mut rest = rest;
        let result = rest.try_for_each(|(_, frame)| reader.take(frame));
        assert!(result.is_err() || reader.finish().is_err(), "without frame {dropped}");
    }
}

#[test]
fn settings_change_on_the_primary_only_and_on_their_present_revision_only() {
    let mut primary = server(1, ServerRole::Primary, limited(1));
    let mut backup = server(2, ServerRole::Backup, limited(1));
    let change = |base, settings: ZoneSettings| Input::ChangeSettings {
        base,
        settings: Box::new(settings),
        section: "general".into(),
        by: "admin".into(),
        reason: None,
    };
    let base = primary.settings.revision;
    let forbidden = change(backup.settings.revision, limited(2));
    assert_eq!(commit(&mut backup, forbidden, 1), Err(Refusal::ReadOnly));
    commit(&mut primary, change(base, limited(2)), 1).unwrap();
    assert!(matches!(commit(&mut primary, change(base, limited(3)), 1), Err(Refusal::Stale(_))));
    let document = Box::new((*primary.settings).clone());
    commit(&mut backup, Input::AdoptSettings { document: document.clone() }, 2).unwrap();
    assert_eq!(backup.settings, primary.settings);
    let mut forged = (*document).clone();
    forged.before = None;
    let refused = commit(&mut backup, Input::AdoptSettings { document: Box::new(forged) }, 2);
    assert_eq!(refused, Err(Refusal::NotGenuine));
    assert!(allowed(commit(&mut backup, ask(1, "alice"), 3)) && allowed(commit(&mut backup, ask(2, "alice"), 3)));
    assert!(!allowed(commit(&mut backup, ask(3, "alice"), 3)), "the Backup decides by the Primary's rules");
}

#[test]
fn a_rewound_agent_is_told_so() {
    use crate::agent_api::{HelloRequest, HelloVerdict};
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agent = Agent::new(1);
    let first = agent.run(&[agent.logon(1, "alice", None)]);
    let old = agent.writer.clone();
    let second = agent.run(&[agent.logon(2, "bob", None), agent.logon(3, "carol", None)]);
    for run in [first, second] {
        commit(&mut s, Input::AgentRun { run: run.into_read() }, 1).unwrap();
    }
    let hello = |last, chain: Chain, origin| HelloRequest {
        origin,
        rank: 1,
        ranges: vec![Range { first: 1, last, chain }],
        boot: agent.boot,
        monotonic_ms: 0,
        wall_ms: 0,
        why: "preferred".into(),
        epoch: Epoch::default(),
        spool: 0,
        reaches: vec![],
        pins: vec![],
        version: String::new(),
    };
    let origin = agent.writer.origin;
    let present = hello(3, agent.writer.chain, origin);
    assert_eq!(s.greet("pc", &present, &Proofs::new()).verdict, HelloVerdict::Ok);
    let image = hello(1, old.chain, origin);
    assert_eq!(s.to_prove(&image), [1]);
    let answer = s.greet("pc", &image, &Proofs::from([(1, old.chain)]));
    assert_eq!((answer.verdict, answer.proved), (HelloVerdict::Rewound, 1));
    let clone = s.greet("pc", &hello(3, Chain([7; 16]), origin), &Proofs::new());
    assert_eq!((clone.verdict, clone.proved), (HelloVerdict::Rewound, 0));
    let new = s.greet("pc", &hello(0, Chain::NIL, OriginId([99; 16])), &Proofs::new());
    assert_eq!((new.verdict, new.highest_rank), (HelloVerdict::Ok, 1));
}

#[test]
fn rows_that_could_not_be_written_are_written_with_the_next() {
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agent = Agent::new(1);
    let run = agent.run(&[agent.logon(1, "alice", None)]);
    commit(&mut s, Input::AgentRun { run: run.into_read() }, 1).unwrap();
    let mut begun = s.begin_checkpoint();
    let first = s.next_rows(&mut begun, 1);
    assert_eq!((first.len(), begun.is_done()), (1, false));
    s.give_up(begun, &first);
    let rows = checkpoint(&mut s);
    assert_eq!(rows.len(), 2, "a machine and an origin");
    s.nothing_written();
    assert_eq!(checkpoint(&mut s), rows);
}

/// Logs what a commit writes, and what a checkpoint adds to it; then it could crash at any time.
#[derive(Default)]
struct Disk {
    log: Vec<Segment>,
    rows: BTreeMap<(RowKind, Vec<u8>), Row>,
    position: u64,
}

impl Disk {
    fn start(&self) -> Server {
        let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
        self.rows.values().for_each(|row| s.restore(row, 10).unwrap());
        s.restored(10);
        self.log.iter().for_each(|segment| s.replay(segment, segment.first_position > self.position, 10));
        s.position = s.position.max(self.position);
        s
    }
}

#[test]
fn a_start_amid_a_checkpoint_knows_everything_that_was_committed() {
    let mut s = server(1, ServerRole::Primary, ZoneSettings::default());
    let mut agents: Vec<Agent> = (1..=5).map(|n| Agent::on(&format!("pc{n}"), n)).collect();
    let (mut disk, mut begun, mut finished) = (Disk::default(), None::<Checkpoint>, 0);
    for n in 0..120_u32 {
        // Each machine opens sessions and closes some of them.
        let agent = &mut agents[usize::try_from(n / 3 % 5).unwrap()];
        let event = if n % 3 == 2 { agent.logoff(n - 2) } else { agent.logon(n, &format!("u{}", n % 4), None) };
        let run = agent.run(&[event]);
        let mut batch = s.batch();
        s.stage(&mut batch, Input::AgentRun { run: run.into_read() }, 1).unwrap();
        disk.log.extend(s.segments(&batch));
        // One piece with each commit, as it is before the commit.
        let checkpoint = begun.get_or_insert_with(|| s.begin_checkpoint());
        let rows = s.next_rows(checkpoint, 1);
        s.written(&rows);
        disk.rows.extend(rows.into_iter().map(|row| ((row.kind, row.key.clone()), row)));
        if checkpoint.is_done() {
            disk.position = checkpoint.position();
            (begun, finished) = (None, finished + 1);
        }
        s.apply(batch, 1);
        let again = disk.start();
        assert_eq!((again.held().digest(), again.state.digest()), (s.held().digest(), s.state.digest()), "after {n}");
        assert_eq!(again.position, s.position);
    }
    assert!(finished > 5 && disk.position > 60, "{finished} checkpoints, the last at {}", disk.position);
}

fn checkpoint(server: &mut Server) -> Vec<Row> {
    let mut all = server.begin_checkpoint();
    server.next_rows(&mut all, usize::MAX)
}
