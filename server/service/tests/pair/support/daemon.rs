//! The agent itself on a machine without sessions: with a spool, a token and what it knows of its zone on a disk.

use std::{path::PathBuf, sync::Arc};

use tokio::task::JoinHandle;
use userlock_agent::{
    client::Clients,
    enrol,
    files::{Durability, read_json, replace_json},
    reporter::{Decided, Host, Parts, Reporter, Zone},
    spool::Spool,
};
use userlock_core::{
    agent::obey::Obedience,
    agent_api::{DecisionRequest, Enrolment},
    event::{BootId, Command, Inventory, SessionType, Who, kind},
    id::Digest,
};

use super::{Pair, new_decision};

const BOOT: BootId = Digest([7; 16]);

struct Disk(PathBuf);

impl Host for Disk {
    fn inventory(&self, number: &mut dyn FnMut(Inventory)) {
        number(Inventory { boot: BOOT, sessions: Vec::new() });
    }

    fn obey(&self, _reporter: &Arc<Reporter>, _command: Command) {}

    fn zone(&self, zone: &Zone) -> std::io::Result<()> {
        replace_json(&self.0.join("zone.json"), zone, Durability::Disk).map_err(std::io::Error::other)
    }
}

/// A machine with the agent, which runs or not.
pub struct Daemon {
    dir: PathBuf,
    name: String,
    running: Option<(Arc<Reporter>, JoinHandle<()>)>,
}

impl Daemon {
    /// Enrols a machine at the Primary, and starts its agent.
    pub async fn enrol(pair: &Pair, name: &str) -> Self {
        let dir = pair.folder().join(name);
        let enrolment = Enrolment { servers: vec![pair.primary.address.clone()], key: pair.key.clone() };
        enrol::enrol(enrolment, name, &dir).await.unwrap();
        let mut daemon = Self { dir, name: name.to_owned(), running: None };
        daemon.start();
        daemon
    }

    /// Starts the agent from what its disk has.
    pub fn start(&mut self) {
        let zone = read_json(&self.dir.join("zone.json")).unwrap();
        let parts = Parts {
            identity: enrol::identity(&self.dir).unwrap(),
            zone: zone.unwrap_or_else(|| Zone::at_first(enrol::servers(&self.dir).unwrap())),
            boot: BOOT,
            spool: Spool::open(&self.dir, &self.name).unwrap(),
            memory: Obedience::default(),
            clients: Clients::default(),
            host: Arc::new(Disk(self.dir.clone())),
        };
        let reporter = Reporter::new(parts).unwrap();
        let agent = Arc::clone(&reporter);
        self.running = Some((reporter, tokio::spawn(async move { agent.run().await })));
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        if let Some((reporter, task)) = self.running.take() {
            task.abort();
            // Its spool must be free before it is opened again.
            _ = task.await;
            drop(reporter);
        }
    }

    fn reporter(&self) -> &Arc<Reporter> {
        &self.running.as_ref().unwrap().0
    }

    /// What it knows of its zone.
    pub fn zone(&self) -> Zone {
        self.reporter().zone()
    }

    /// Whether a server in use knows it and answers.
    pub fn connected(&self) -> bool {
        self.reporter().status().connected
    }

    /// Reports something.
    pub fn report(&self) {
        let inventory = Inventory { boot: BOOT, sessions: Vec::new() };
        self.reporter().report(kind::INVENTORY, &inventory).unwrap();
    }

    /// How much both servers do not hold yet.
    pub fn waiting(&self) -> u64 {
        self.reporter().waiting()
    }

    /// The address of the server that tells whether this user may log on; none when the offline policy must.
    pub async fn decided_by(&self, user: &str) -> Option<String> {
        let request = DecisionRequest {
            decision_id: new_decision(),
            who: Who {
                user: user.into(),
                display_name: None,
                session_type: SessionType::Workstation,
                client_name: None,
                client_address: None,
            },
            groups: Vec::new(),
            last_resort: false,
        };
        match self.reporter().decide(request).await {
            Decided::Answer { server, .. } => Some(server),
            Decided::Offline { .. } => None,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.running {
            task.abort();
        }
    }
}
