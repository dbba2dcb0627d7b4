//! Which commands an agent obeys: each once, none too late, none of an epoch that is over.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    event::{Command, CommandOutcome},
    id::{CommandId, Epoch},
};

/// How many commands are remembered as obeyed. A command is valid for a minute, so that this is far more than enough.
pub const MAX_REMEMBERED: usize = 1024;

/// What an agent remembers of the commands that it was given. To be on the disk before a command is obeyed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obedience {
    /// The highest epoch seen.
    pub epoch: Epoch,
    /// The last commands, each with whether its result was reported.
    commands: VecDeque<(CommandId, bool)>,
}

/// What to do about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Do it, now.
    Obey,
    /// It was given before: nothing.
    Repeat,
    /// Do not do it, and report this.
    Refuse(CommandOutcome),
}

impl Obedience {
    /// A server has told its epoch. Whether it is higher than any before.
    pub fn saw(&mut self, epoch: Epoch) -> bool {
        let higher = epoch.number > self.epoch.number;
        if higher {
            self.epoch = epoch;
        }
        higher
    }

    /// Judges a command that may be obeyed for `valid_ms` more, and remembers it.
    pub fn judge(&mut self, command: &Command, valid_ms: u64) -> Judgement {
        if self.commands.iter().any(|(id, _)| *id == command.command_id) {
            return Judgement::Repeat;
        }
        self.commands.push_back((command.command_id, false));
        while self.commands.len() > MAX_REMEMBERED {
            self.commands.pop_front();
        }
        if command.epoch.number < self.epoch.number {
            return Judgement::Refuse(CommandOutcome::StaleEpoch);
        }
        self.saw(command.epoch);
        if valid_ms == 0 { Judgement::Refuse(CommandOutcome::Expired) } else { Judgement::Obey }
    }

    /// The result of a command was reported.
    pub fn reported(&mut self, id: CommandId) {
        if let Some((_, reported)) = self.commands.iter_mut().find(|(known, _)| *known == id) {
            *reported = true;
        }
    }

    /// The commands whose results were not reported: the agent ended in the middle of them.
    #[must_use]
    pub fn unreported(&self) -> Vec<CommandId> {
        self.commands.iter().filter(|(_, reported)| !reported).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{CommandAction, LogonId, SessionKey},
        id::{Digest, EpochName},
    };

    fn command(id: u8, epoch: u64) -> Command {
        Command {
            command_id: CommandId([id; 16]),
            session: SessionKey { machine: "pc".into(), boot: Digest::NIL, logon: LogonId::new("1.2").unwrap() },
            action: CommandAction::Logoff,
            text: None,
            by: "admin".into(),
            reason: "r".into(),
            epoch: Epoch { number: epoch, name: EpochName([1; 16]) },
        }
    }

    #[test]
    fn each_command_is_obeyed_once_in_time_and_in_no_lower_epoch() {
        let mut memory = Obedience::default();
        assert_eq!(memory.judge(&command(1, 1), 60_000), Judgement::Obey);
        assert_eq!(memory.judge(&command(1, 1), 60_000), Judgement::Repeat);
        assert_eq!(memory.judge(&command(2, 1), 0), Judgement::Refuse(CommandOutcome::Expired));
        assert_eq!(memory.judge(&command(3, 2), 1), Judgement::Obey);
        assert_eq!(memory.judge(&command(4, 1), 1), Judgement::Refuse(CommandOutcome::StaleEpoch));
        assert_eq!(memory.judge(&command(4, 1), 1), Judgement::Repeat, "a refused one is reported once as well");
        assert!(memory.saw(Epoch { number: 3, name: EpochName::NIL }));
        assert!(!memory.saw(Epoch { number: 3, name: EpochName([2; 16]) }));
        memory.reported(CommandId([1; 16]));
        let read: Obedience = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
        assert_eq!(read.unreported(), [2, 3, 4].map(|id| CommandId([id; 16])));
    }
}
