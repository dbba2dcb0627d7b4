//! Many agents at one server.

use std::{net::SocketAddr, time::Instant};

use tokio::task::JoinSet;
use userlock_core::event::{SessionType, kind};

use crate::{
    agents::{Agent, Batch, Opened, coming_and_going, send},
    failure::Result,
    servers::Server,
    wire::Connection,
};

/// How many agents there are.
pub const AGENTS: u64 = 64;
/// How many records a batch has.
pub const BATCH: u64 = 100;

/// Agents with their connections and the sessions that they opened.
pub struct Fleet {
    server: SocketAddr,
    agents: Vec<(Agent, Connection)>,
    open: Vec<Vec<Opened>>,
}

impl Fleet {
    /// Enrols them.
    pub async fn at(server: &Server) -> Result<Self> {
        let key = server.key()?;
        let mut agents = Vec::new();
        for number in 0..AGENTS {
            agents.push(Agent::enrol(server.address, &key, &format!("load-{number:03}")).await?);
        }
        let open = agents.iter().map(|_| Vec::new()).collect();
        Ok(Self { server: server.address, agents, open })
    }

    /// What they prove their requests with.
    pub fn tokens(&self, count: usize) -> Vec<String> {
        self.agents.iter().take(count).map(|(agent, _)| agent.token().to_owned()).collect()
    }

    /// Opens so many sessions, one for each user from `first` on.
    pub async fn log_on(&mut self, first: u64, count: u64) -> Result<()> {
        let mut users = first..first + count;
        let share = usize::try_from(count.div_ceil(AGENTS))?;
        let mut requests = Vec::new();
        for ((agent, _), open) in self.agents.iter_mut().zip(&mut self.open) {
            let mut mine = Vec::new();
            let mut batch = Batch::new(agent);
            for user in users.by_ref().take(share) {
                open.push(batch.logon(agent, user, SessionType::Terminal)?);
                batch = full(batch, agent, &mut mine)?;
            }
            rest(batch, agent, &mut mine)?;
            requests.push(mine);
        }
        self.deliver(requests).await.map(|_| ())
    }

    /// Ends so many of the sessions that were opened first.
    pub async fn log_off(&mut self, count: u64) -> Result<()> {
        let (share, mut left) = (usize::try_from(count.div_ceil(AGENTS))?, usize::try_from(count)?);
        let mut requests = Vec::new();
        for ((agent, _), open) in self.agents.iter_mut().zip(&mut self.open) {
            let mut mine = Vec::new();
            let mut batch = Batch::new(agent);
            let ending = share.min(left).min(open.len());
            left -= ending;
            for session in open.drain(..ending) {
                batch.change(agent, kind::LOGOFF, &session)?;
                batch = full(batch, agent, &mut mine)?;
            }
            rest(batch, agent, &mut mine)?;
            requests.push(mine);
        }
        self.deliver(requests).await.map(|_| ())
    }

    /// Each agent sends so many batches in which sessions come and go; records a second.
    #[expect(clippy::cast_precision_loss, reason = "a count of records")]
    pub async fn come_and_go(&mut self, batches: u64) -> Result<f64> {
        let requests: Result<Vec<_>> =
            self.agents.iter_mut().map(|(agent, _)| coming_and_going(agent, batches)).collect();
        let seconds = self.deliver(requests?).await?;
        Ok((batches * BATCH * AGENTS) as f64 / seconds)
    }

    /// All send at once, each one batch after the other; how many seconds it took.
    async fn deliver(&mut self, requests: Vec<Vec<Vec<u8>>>) -> Result<f64> {
        // A connection that was idle while requests were made may have been closed meanwhile.
        for (_, line) in &mut self.agents {
            *line = Connection::open(self.server).await?;
        }
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for (index, ((agent, mut line), requests)) in self.agents.drain(..).zip(requests).enumerate() {
            tasks.spawn(async move {
                for request in &requests {
                    send(&mut line, request).await?;
                }
                Ok::<_, crate::failure::Failure>((index, agent, line))
            });
        }
        let mut back = Vec::new();
        while let Some(done) = tasks.join_next().await {
            back.push(done??);
        }
        let seconds = begin.elapsed().as_secs_f64();
        back.sort_by_key(|(index, ..)| *index);
        self.agents = back.into_iter().map(|(_, agent, line)| (agent, line)).collect();
        Ok(seconds)
    }
}

/// Puts a batch that is full to the requests, and begins the next.
fn full(batch: Batch, agent: &Agent, requests: &mut Vec<Vec<u8>>) -> Result<Batch> {
    if (batch.len() as u64) < BATCH {
        return Ok(batch);
    }
    requests.push(batch.request(agent)?);
    Ok(Batch::new(agent))
}

fn rest(batch: Batch, agent: &Agent, requests: &mut Vec<Vec<u8>>) -> Result<()> {
    if batch.len() > 0 {
        requests.push(batch.request(agent)?);
    }
    Ok(())
}
