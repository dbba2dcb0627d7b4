//! An agent's hello: whether the servers recognize its numbering.

use std::collections::BTreeMap;

use super::Server;
use crate::{
    agent_api::{HelloRequest, HelloVerdict, Range},
    held::HeldOrigin,
    id::Chain,
};

/// The chains of records that this server's log has, by number: what the caller looked up for [`Server::greet`].
pub type Proofs = BTreeMap<u64, Chain>;

/// What a server says to an agent's numbering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloAnswer {
    /// Whether it goes on.
    pub verdict: HelloVerdict,
    /// The last number proved held.
    pub proved: u64,
    /// What this server holds of the origin, or knows lost.
    pub held: Vec<Range>,
    /// What the other server does, as far as known.
    pub peer_held: Option<Vec<Range>>,
    /// The highest rank of the machine.
    pub highest_rank: u64,
    /// Numbers that the agent dropped and no server has.
    pub lost: Option<Range>,
}

impl Server {
    /// The numbers whose chains must be looked up in the log before [`Self::greet`] can judge: ends of the agent's ranges
    /// within what is held, where no range ends here.
    #[must_use]
    pub fn to_prove(&self, hello: &HelloRequest) -> Vec<u64> {
        let Some(held) = self.held.origin(hello.origin) else { return Vec::new() };
        let ends = hello.ranges.iter().map(|r| r.last);
        ends.filter(|last| held.has(*last) && held.chain_at(*last).is_none()).collect()
    }

    /// Judges an agent's numbering. It is rewound when its own last record is behind what is held of it, or a chain differs.
    #[must_use]
    pub fn greet(&self, machine: &str, hello: &HelloRequest, proofs: &Proofs) -> HelloAnswer {
        let nothing = HeldOrigin::default();
        let held = self.held.origin(hello.origin).unwrap_or(&nothing);
        let known_chain = |seq| held.chain_at(seq).or_else(|| proofs.get(&seq).copied());
        let agents_last = hello.ranges.iter().map(|r| r.last).max().unwrap_or(0);
        let mut proved = 0;
        let mut forked = held.head() > 0 && held.rank != hello.rank;
        for range in &hello.ranges {
            match known_chain(range.last) {
                Some(chain) if chain == range.chain => proved = proved.max(range.last),
                Some(_) if range.last > 0 => forked = true,
                _ => {}
            }
        }
        let verdict = if forked || held.head() > agents_last { HelloVerdict::Rewound } else { HelloVerdict::Ok };
        let peer = self.peer_held.as_ref().map(|p| p.origin(hello.origin).unwrap_or(&nothing));
        HelloAnswer {
            verdict,
            proved,
            held: held.accounted(),
            peer_held: peer.map(HeldOrigin::accounted),
            highest_rank: self.state.machine(machine).map_or(0, |m| m.highest_rank),
            lost: lost_below(hello, held, peer),
        }
    }
}

/// The numbers below the first one that the agent kept, which neither server has.
fn lost_below(hello: &HelloRequest, held: &HeldOrigin, peer: Option<&HeldOrigin>) -> Option<Range> {
    let first_kept = hello.ranges.iter().map(|r| r.first).min()?;
    let (first, last) = held.missing(1, first_kept.checked_sub(1)?).into_iter().next_back()?;
    let accounted = held.accounted();
    let elsewhere =
        |seq| peer.is_some_and(|p| p.has(seq)) || accounted.iter().any(|r| (r.first..=r.last).contains(&seq));
    if first > last || elsewhere(first) || elsewhere(last) {
        return None;
    }
    Some(Range { first, last, chain: Chain::NIL })
}
