//! What the service asks the world for: the day, the time, randomness. Tests give their own.

use nightdrop_store::{Day, Minute};
use nightdrop_wire::{quarter::QuarterHour, token::Token};
use nix::time::{ClockId, clock_gettime};
use rand::{Rng, TryCryptoRng, TryRng, rand_core::Infallible, rand_core::UnwrapErr, rngs::SysRng};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use zeroize::Zeroize;

/// Fills a buffer with random bytes.
pub type FillRandom = dyn Fn(&mut [u8]) + Send + Sync;

/// Time and randomness.
#[derive(Clone)]
pub struct Environment {
    /// The day, for what expires by days.
    pub today: Arc<dyn Fn() -> Day + Send + Sync>,
    /// The minute, for the back-off after failed logins and the ends of tickets.
    pub minute: Arc<dyn Fn() -> Minute + Send + Sync>,
    /// Time since the machine was started, asleep or not: by it the machine's clock is judged.
    pub since_boot: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// A clock that never goes back, for what lasts minutes.
    pub now: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// Fills a buffer with random bytes.
    pub fill_random: Arc<FillRandom>,
}

impl Environment {
    /// The system's clocks and the system's randomness.
    #[must_use]
    pub fn system() -> Self {
        Self {
            today: Arc::new(|| Day::of(SystemTime::now())),
            minute: Arc::new(|| Minute::of(SystemTime::now())),
            // A system without this clock would be no Linux; without it, nothing is ever cleared away.
            since_boot: Arc::new(|| {
                clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
            }),
            now: Arc::new(Instant::now),
            // Linux's generator does not fail once it is seeded; were it to, nothing could go on.
            fill_random: Arc::new(|bytes| UnwrapErr(SysRng).fill_bytes(bytes)),
        }
    }

    pub(crate) fn today(&self) -> Day {
        (self.today)()
    }

    pub(crate) fn minute(&self) -> Minute {
        (self.minute)()
    }

    pub(crate) fn quarter(&self) -> QuarterHour {
        self.minute().quarter()
    }

    pub(crate) fn since_boot(&self) -> Duration {
        (self.since_boot)()
    }

    pub(crate) fn now(&self) -> Instant {
        (self.now)()
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.fill_random)(&mut bytes);
        bytes
    }

    /// A random token.
    pub(crate) fn token(&self) -> Token {
        let mut bytes = self.random();
        let token = Token::from_bytes(bytes);
        bytes.zeroize();
        token
    }

    /// The same randomness, as generators of both versions of `rand`.
    pub(crate) fn rng(&self) -> EnvironmentRng<'_> {
        EnvironmentRng(self)
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

/// An [`Environment`]'s randomness for whoever asks through a generator: `store` by rand 0.10, `login` by rand 0.8.
pub(crate) struct EnvironmentRng<'e>(&'e Environment);

impl TryRng for EnvironmentRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.random()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.random()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        (self.0.fill_random)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for EnvironmentRng<'_> {}

impl rand08::RngCore for EnvironmentRng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.0.random())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.0.random())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0.fill_random)(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand08::Error> {
        (self.0.fill_random)(bytes);
        Ok(())
    }
}

impl rand08::CryptoRng for EnvironmentRng<'_> {}
