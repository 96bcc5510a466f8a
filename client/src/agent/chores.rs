//! What the agent does unasked to keep the account as it should be: it uses the ways to the relay so that Tor keeps them, and makes leases longer.

use super::serve::{Agent, Execute, Inner};
use rand::RngExt;
use std::time::Duration;
use tokio::time::sleep;

impl<E: Execute> Agent<E> {
    /// Uses the ways to the relay now and then, each at times of its own, so that Tor keeps them, and makes leases longer, a few at a time.
    pub(super) async fn do_chores(self) {
        let Inner { unlocked, limits, .. } = self.inner();
        let home = async {
            loop {
                sleep(varied(limits.keep_warm)).await;
                unlocked.keep_space_warm().await;
            }
        };
        let account = async {
            loop {
                sleep(varied(limits.keep_warm)).await;
                unlocked.keep_account_warm().await;
                if unlocked.session_has_ended() {
                    self.lock();
                }
            }
        };
        let issuing_key = async {
            loop {
                sleep(varied(limits.check_key)).await;
                unlocked.check_issuing_key().await;
            }
        };
        let leases = async {
            // Soon: an agent that nobody uses locks itself before long.
            sleep(varied(limits.first_leases)).await;
            loop {
                unlocked.extend_some_leases().await;
                sleep(varied(limits.extend_leases)).await;
            }
        };
        tokio::join!(home, account, issuing_key, leases);
    }
}

/// Somewhat less than `longest`, by chance, so that two of them are not seen to belong together.
pub(super) fn varied(longest: Duration) -> Duration {
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}
