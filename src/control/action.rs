use std::net::IpAddr;
use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::event;

use super::{Control, Login, News, lock};
use crate::model::AccountName;
use crate::syslog::{ALL_INFO, FAILURE, LOW_LEVEL, MAJOR, PROBLEM};

/// Rounds of the loop between two looks at the clock.
const ROUNDS: u32 = 100_000;

/// What a command does to the running server. None of it outlives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop the server in order.
    Stop,
    /// Log everything, or what the settings say.
    LogAll(bool),
    /// Write a record to the log.
    WriteLog {
        /// 0 to 5.
        level: u8,
        /// What it says.
        text: String,
    },
    /// Give a custom element a value.
    SetStatistic(String, i64),
    /// Add to the value of a custom element.
    AddToStatistic(String, i64),
    /// Give these addresses no connection for so long; `None` is for ever.
    Block(Vec<(IpAddr, Option<Duration>)>),
    /// Give an address connections again.
    Unblock(IpAddr),
    /// Count a failed login of an address.
    NoteFailure(IpAddr),
    /// End the session with this number.
    EndSession(u64),
    /// End all sessions of an account.
    EndSessionsOf(AccountName),
}

/// Why an action was not done, in words that hold nothing the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub &'static str);

impl Control {
    /// Carries `action` out.
    ///
    /// # Errors
    /// Why it could not be.
    pub fn carry_out(&self, action: Action) -> Result<(), Failed> {
        match action {
            Action::Stop => {
                event!(target: "SYSTEM", MAJOR, "an administrator stops the server");
                self.tell(News::Stop);
            }
            Action::LogAll(all) => {
                self.logs_all.store(all, Ordering::Relaxed);
                self.put_in_force(&lock(&self.settings));
            }
            Action::WriteLog { level, text } => write_log(level, &text),
            Action::SetStatistic(name, value) => self.statistics.set(&name, |_| value)?,
            Action::AddToStatistic(name, more) => self.statistics.set(&name, |old| old.saturating_add(more))?,
            Action::Block(addresses) => {
                let now = self.clock.now();
                addresses.into_iter().try_for_each(|(address, time)| self.gate.block(address, time, now))?;
            }
            Action::Unblock(address) => self.gate.unblock(address),
            Action::NoteFailure(address) => self.note_failure(address, self.clock.now()),
            Action::EndSession(number) => self.logins.find(number).ok_or(Failed("unknown session"))?.end(),
            Action::EndSessionsOf(account) => {
                self.logins.all(|login| login.account == account).iter().for_each(Login::end);
            }
        }
        Ok(())
    }

    /// How many rounds a loop makes in a second, measured for so long.
    ///
    /// # Errors
    /// Somebody else is measuring: both would be slower.
    pub fn measure_loop(&self, time: Duration) -> Result<u64, Failed> {
        let _alone = match self.test_loop.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Failed("the loop is being tested already")),
        };
        let begun = self.clock.now();
        let mut rounds = 0_u64;
        loop {
            (0..ROUNDS).for_each(|round| _ = std::hint::black_box(round));
            rounds += u64::from(ROUNDS);
            let ms = u64::try_from(self.clock.now().since(begun).as_millis()).unwrap_or(u64::MAX);
            if Duration::from_millis(ms) >= time {
                return Ok(rounds.saturating_mul(1000) / ms.max(1));
            }
        }
    }
}

fn write_log(level: u8, text: &str) {
    match level {
        0 | 1 => event!(target: "SYSTEM", FAILURE, "{text}"),
        2 => event!(target: "SYSTEM", MAJOR, "{text}"),
        3 => event!(target: "SYSTEM", PROBLEM, "{text}"),
        4 => event!(target: "SYSTEM", LOW_LEVEL, "{text}"),
        _ => event!(target: "SYSTEM", ALL_INFO, "{text}"),
    }
}
