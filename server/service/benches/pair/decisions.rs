//! Asking for decisions, as fast as they are answered or at a pace.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{Instant as TokioInstant, sleep_until},
};

use crate::{
    agents::{now_ms, user},
    failure::{During as _, Failure, Result},
    figures::Spread,
    wire::{Connection, post_of},
};

/// What to ask.
#[derive(Clone)]
pub struct Asking {
    /// Whom.
    pub server: SocketAddr,
    /// The agents' tokens: one connection for each.
    pub tokens: Vec<String>,
    /// For how many users.
    pub users: u64,
    /// How long.
    pub lasts: Duration,
    /// Between two questions on one connection; absent: the next as soon as there is an answer.
    pub pace: Option<Duration>,
}

/// What came of it.
pub struct Asked {
    /// Answers a second.
    pub rate: f64,
    /// The times that the answers took, in ms.
    pub times: Spread,
    /// Which share was allowed, in per cent.
    pub allowed: f64,
}

/// Asks.
#[expect(clippy::cast_precision_loss, reason = "counts of answers")]
pub async fn ask(asking: &Asking) -> Result<Asked> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (index, token) in asking.tokens.iter().enumerate() {
        tasks.spawn(one(asking.clone(), token.clone(), index as u64));
    }
    let (mut times, mut allowed) = (Vec::new(), 0_u64);
    while let Some(done) = tasks.join_next().await {
        let (more, yes) = done??;
        times.extend(more);
        allowed += yes;
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let answers = times.len() as f64;
    Ok(Asked { rate: answers / elapsed, times: Spread::ms(times), allowed: allowed as f64 / answers * 100.0 })
}

/// One connection.
async fn one(asking: Asking, token: String, index: u64) -> Result<(Vec<Duration>, u64)> {
    let mut line = Connection::open(asking.server).await?;
    let mut numbers = Numbers(now_ms().unsigned_abs() ^ index.rotate_left(32));
    let (mut times, mut allowed) = (Vec::new(), 0);
    let (begin, mut body) = (Instant::now(), String::new());
    // Connections that are paced take turns.
    let mut due = begin + asking.pace.unwrap_or_default() / 8 * u32::try_from(index % 8)?;
    while begin.elapsed() < asking.lasts {
        let asked_at = match asking.pace {
            None => Instant::now(),
            Some(pace) => {
                due += pace;
                sleep_until(TokioInstant::from_std(due)).await;
                // An answer that is late makes the next question late: that counts as waiting too.
                due
            }
        };
        let number = numbers.next() % asking.users;
        body.clear();
        let client = number % 250;
        write!(
            body,
            r#"{{"decision_id":"{:016x}{:016x}","user":"{}","type":"terminal","client_name":"client-{client}","client_address":"10.9.1.{client}","groups":["staff","engineering"]}}"#,
            numbers.next(),
            numbers.next(),
            user(number),
        )?;
        let answer = line.call(&post_of("/agent/v1/decisions", Some(&token), body.as_bytes())).await?;
        if answer.status != 200 {
            return Err(answer.failure()).during("a decision");
        }
        times.push(asked_at.elapsed());
        // Reading all of the answer would take the servers' processor from them.
        match answer.body.windows(12).find(|w| w.starts_with(b"\"allow\":")) {
            Some(found) => allowed += u64::from(found.ends_with(b"true")),
            None => return Err(Failure::new("an answer without a decision")),
        }
    }
    Ok((times, allowed))
}

/// Numbers that differ (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
